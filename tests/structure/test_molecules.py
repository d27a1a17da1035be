"""Molecules are found across the walls of the cell, whole, as graphs."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import formula_unit, molecules


def test_urea_is_two_molecules_wherever_the_walls_are(urea):
    fractional = (urea.positions @ np.linalg.inv(urea.cell) + [0.4, 0.3, 0.55]) % 1.0
    moved = replace(urea, positions=fractional @ urea.cell)
    found = molecules(moved)
    assert sorted(k for m in found for k in m.atoms.tolist()) == list(range(len(urea)))
    for molecule in found:
        assert sorted(urea.elements[molecule.atoms]) == ["C", *"HHHH", "N", "N", "O"]
        assert set(molecule.graph) == set(molecule.atoms.tolist())
        assert not molecule.endless
        place = dict(zip(molecule.atoms.tolist(), molecule.positions, strict=True))
        for here, there in molecule.graph.edges:
            assert np.linalg.norm(place[here] - place[there]) < 1.5
        steps = (molecule.positions - moved.positions[molecule.atoms]) @ np.linalg.inv(moved.cell)
        assert steps == pytest.approx(steps.round(), abs=1e-9)
        centre = molecule.positions.mean(axis=0) @ np.linalg.inv(moved.cell)
        assert ((centre > -1e-4) & (centre < 1)).all()
    assert found[0].graph.nodes[int(found[0].atoms[0])]["element"] == "C"


def test_molecules_of_urea_are_the_same_graph(urea):
    import networkx as nx

    first, second = molecules(urea)
    match = nx.algorithms.isomorphism.categorical_node_match("element", "")
    assert nx.is_isomorphic(first.graph, second.graph, node_match=match)


def test_a_chain_has_no_end():
    chain = Crystal(
        np.array(["C", "C"]),
        np.array([[0.0, 0, 0], [1.2, 0, 0]]),
        np.diag([2.6, 9.0, 9.0]),
        ("C1", "C2"),
    )
    (molecule,) = molecules(chain)
    assert molecule.endless
    assert molecule.atoms.tolist() == [0, 1]
    assert formula_unit(chain) == ("C", 2)  # no unit is a whole one


def test_a_unit_is_of_whole_molecules(urea):
    """Two acetylenes and four waters are no six atoms of anything."""
    acetylene = [("C", 0.0), ("C", 1.2), ("H", -1.06), ("H", 2.26)]
    water = [("O", 0.0), ("H", 0.97)]
    atoms = [
        (e, (x + 1.1, 2.0 + 4 * k, 2.0))
        for k, own in enumerate([acetylene] * 2 + [water] * 4)
        for e, x in own
    ]
    elements, positions = np.array([e for e, _ in atoms]), np.array([p for _, p in atoms])
    crystal = Crystal(elements, positions, np.diag([9.0, 24.0, 9.0]), tuple(elements))
    assert formula_unit(crystal) == ("C2 H4 O2", 2)
    assert formula_unit(replace(crystal, cell=None)) == ("C4 H8 O4", 1)
    assert formula_unit(urea) == ("C H4 N2 O", 2)


def test_atoms_without_bonds_are_molecules_of_their_own():
    elements = np.array(["O", "H", "O"])
    apart = Crystal(elements, np.array([[0.0, 0, 0], [0.97, 0, 0], [5, 0, 0]]), None, ("a",) * 3)
    assert [m.atoms.tolist() for m in molecules(apart)] == [[0, 1], [2]]
