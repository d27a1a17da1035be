"""Atoms without precedent, in ions and radicals, moved, or near other elements."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from shiftcli.prediction.ase_interface import from_ase
from shiftcli.prediction.evidence import (
    CHARGED,
    NEAR_OTHER,
    UNSEEN,
    assess,
    describe_atoms,
    doubt_symbols,
)
from shiftcli.structure.bonded import count_families

#: Ordinary molecules, of which the networks of these tests have learned.
ORDINARY = (
    "CH3CONH2", "CH3COOH", "HCOOCH3", "CH3CN", "CH3NO2", "C5H5N", "C4H4NH", "C3H9N", "isobutane",
    "CH3OCH3", "H2O", "CH3CH2OH", "C6H6", "C2H4", "C2H6", "C2H2", "CH3CHO", "CH3COCH3",
    "CH3CH2NH2", "C3H8", "CH3OH", "C2H6NH", "trans-butane", "C4H4O",
)  # fmt: skip


@pytest.fixture(scope="module")
def environments():
    crystals = [from_ase(molecule(name)) for name in ORDINARY]
    counts = count_families(crystals, ORDINARY)
    return dict.fromkeys("HCNO", counts)


def marks(crystal, environments):
    return assess(crystal, range(len(crystal.sites)), environments).flags


METHYL = np.array([[-0.36, 1.03, 0], [-0.36, -0.51, 0.89], [-0.36, -0.51, -0.89]])


def chain(symbols, lengths):
    """A methyl group and then atoms on a line, at these distances from each other."""
    along = np.cumsum([0.0, *lengths])
    line = [[x, 0, 0] for x in along]
    return Atoms(f"CH3{symbols}", [line[0], *METHYL, *line[1:]])


def vinylidene(symbols, lengths):
    """H2C= and then atoms on a line."""
    along = np.cumsum([0.0, *lengths])
    ends = [[-0.55, 0.94, 0], [-0.55, -0.94, 0]]
    return Atoms(f"CH2{symbols}", [[0, 0, 0], *ends, *([x, 0, 0] for x in along[1:])])


def molecule_of_ends(lengths):
    """H2C= at both ends of carbons on a line."""
    atoms = vinylidene("C" * len(lengths), lengths)
    end = float(np.sum(lengths))
    atoms.extend(Atoms("H2", [[end + 0.55, 0.94, 0], [end + 0.55, -0.94, 0]]))
    return atoms


def odd(name):
    """Molecules that no ordinary organic crystal holds, by hand; lengths in Å."""
    if name == "N-oxide":
        ring = molecule("C5H5N")
        nitrogen = ring.positions[ring.numbers == 7][0]
        out = nitrogen - ring.positions[ring.numbers == 6].mean(axis=0)
        ring.extend(Atoms("O", [nitrogen + 1.29 * out / np.linalg.norm(out)]))
        return ring
    if name == "nitroxide":
        amine = molecule("C2H6NH")
        nitrogen = int(np.flatnonzero(amine.numbers == 7)[0])
        own = min(np.flatnonzero(amine.numbers == 1), key=lambda h: amine.get_distance(nitrogen, h))
        amine.symbols[own] = "O"
        amine.set_distance(nitrogen, own, 1.28, fix=0)
        return amine
    return {
        "azide": lambda: chain("NNN", [1.47, 1.23, 1.13]),
        "ketene": lambda: vinylidene("CO", [1.31, 1.16]),
        "diazo": lambda: vinylidene("NN", [1.30, 1.14]),
        "isocyanide": lambda: chain("NC", [1.43, 1.17]),
        "isocyanate": lambda: chain("NCO", [1.45, 1.20, 1.17]),
        "peroxide": lambda: molecule("H2O2"),
        "allene": lambda: molecule("C3H4_D2d"),
        "carbene": lambda: molecule("CH2_s1A1d"),
        "nitrene": lambda: chain("N", [1.43]),
        "ketyl radical": lambda: molecule("CH3CO"),
        "butatriene": lambda: molecule_of_ends([1.32, 1.26, 1.32]),
        "cyanate N-oxide": lambda: chain("CNO", [1.46, 1.16, 1.21]),
    }[name]()


ODD = (
    "azide", "ketene", "diazo", "N-oxide", "isocyanide", "isocyanate", "peroxide", "nitroxide",
    "allene", "butatriene", "carbene", "nitrene", "ketyl radical", "cyanate N-oxide",
)  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_molecules_bear_no_flag(name, environments):
    assert not any(marks(from_ase(molecule(name)), environments))


@pytest.mark.parametrize("name", ODD)
def test_odd_molecules_are_flagged(name, environments):
    assert any(UNSEEN in own or CHARGED in own for own in marks(from_ase(odd(name)), environments))


def shipped():
    from shiftcli.network.checkpoint import load

    files = sorted((Path(__file__).parents[2] / "weights").glob("*.safetensors"))
    held = {}
    for file in files:
        _, metadata = load(file)
        held.setdefault(metadata.nucleus, metadata.environments)
    return held


def test_odd_molecules_are_flagged_by_the_networks_that_ship():
    held = shipped()
    if not all(held.values()):
        pytest.skip("the networks' files do not say what they have learned from")
    for name in (name for name in ODD if name != "allene"):  # one training crystal is an allene
        flags = marks(from_ase(odd(name)), held)
        assert any(UNSEEN in own or CHARGED in own for own in flags), name


def test_counts_and_unknown_counts(urea):
    held = {"O": {"O0(C3)": 7}, "N": {"O0(C3)": 7}, "C": {}}
    found = describe_atoms(urea, held).precedents
    assert set(found[urea.elements == "O"]) == {7}
    assert set(found[urea.elements == "N"]) == {0}
    assert set(found[urea.elements == "C"]) == {-1}
    assert set(found[urea.elements == "H"]) == {-1}
    flags = marks(urea, held)
    elements = [site.element for site in urea.sites]
    assert {e for e, own in zip(elements, flags, strict=True) if UNSEEN in own} == {"N"}


def test_moved_hydrogens_are_less_certain(urea, environments):
    places = range(len(urea.sites))
    moved = replace(urea, moved=np.where(urea.elements == "H", 0.13, 0.0))
    noise = assess(moved, places, environments).noise
    is_hydrogen = np.array([site.element == "H" for site in urea.sites])
    assert (noise[is_hydrogen] > 0.4).all()
    assert (noise[~is_hydrogen] == 0).all()
    assert (assess(urea, places, environments).noise == 0).all()


@pytest.mark.parametrize(
    ("distance", "predictable", "noise"), [(3.0, False, None), (3.6, True, 0.1), (6.0, True, 0.02)]
)
def test_other_elements_by_distance(distance, predictable, noise, environments):
    atoms = molecule("H2O")
    hydrogen = atoms.positions[atoms.numbers == 1][0]
    away = hydrogen - atoms.positions[atoms.numbers == 8][0]
    atoms.extend(Atoms("Cl", [hydrogen + distance * away / np.linalg.norm(away)]))
    crystal = from_ase(atoms)
    found = assess(crystal, [0, 1, 2], environments)
    row = int(np.argmin([np.linalg.norm(crystal.positions[s.atoms[0]] - hydrogen)
                         for s in crystal.sites[:3]]))  # fmt: skip
    assert found.predictable[row] == predictable
    assert (NEAR_OTHER in found.flags[row]) != predictable
    if noise is not None:
        assert found.noise[row] == pytest.approx(noise, rel=0.3)


def test_exchanged_symbols_are_doubted(environments):
    """Acetic acid with nitrogen in place of carbon."""
    whole = from_ase(molecule("CH3COOH"))
    assert doubt_symbols(whole, marks(whole, environments)) is whole
    names = {"C": "N", "N": "C"}
    wrong = replace(whole, elements=np.array([names.get(e, e) for e in whole.elements]))
    doubted = doubt_symbols(wrong, marks(wrong, environments))
    assert "sites have bonds that no training crystal has" in doubted.warnings[-1]
