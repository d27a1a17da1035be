"""Labels of files without labels: an atom's place in its molecule."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import T, amino_alcohol, crystal_of, rewrite

from shiftcli.readers import read_text
from shiftcli.structure.copies import find_copies
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.numbering import label_by_molecule

LABELS, PLACES = amino_alcohol()
TURN = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])


def poscar(crystal, order=None):
    """The atoms of a crystal as POSCAR, those of each element in an order."""
    order = np.arange(len(crystal)) if order is None else order
    order = [k for e in "HCNO" for k in order if crystal.elements[k] == e]
    counts = [str((crystal.elements == e).sum()) for e in "HCNO"]
    rows = [crystal.cell, crystal.positions[order]]
    cell, places = ("\n".join(" ".join(f"{x:.9f}" for x in row) for row in part) for part in rows)
    return f"x\n1.0\n{cell}\nH C N O\n{' '.join(counts)}\nCartesian\n{places}\n", order


def test_along_the_bonds_from_an_end():
    crystal = label_by_molecule(crystal_of(LABELS, PLACES))
    found = dict(zip(LABELS, crystal.labels, strict=False))
    # CH3–CH(OH)–CH2–NH2; hydrogens as the atoms that carry them.
    assert [found[name] for name in ("C2", "C1", "O1", "C3", "N1")] == [
        "C1",
        "C2",
        "O1",
        "C3",
        "N1",
    ]
    assert {found[f"H2{x}"] for x in "abc"} == {"H1", "H2", "H3"}
    assert [found["H1"], found["H3"]] == ["H4", "H5"]
    assert {found["H4a"], found["H4b"]} == {"H6", "H7"}
    assert crystal.numbered
    assert crystal.labels[len(LABELS) :] == crystal.labels[: len(LABELS)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("parts", [[PLACES], [PLACES, PLACES @ TURN]], ids=["one", "two"])
def test_the_same_in_another_cell_order_and_mirror(seed, parts):
    crystal = label_by_molecule(crystal_of(LABELS, *parts, size=14.0))
    written, atoms = rewrite(crystal, seed)
    written = label_by_molecule(written)
    assert list(written.labels) == [crystal.labels[k] for k in atoms.tolist()]
    names = [site.label for site in written.sites]
    assert len(names) == len(set(names)) == len(LABELS) * len(parts)
    assert ("C1_2" in names) == (len(parts) == 2)


def test_a_file_of_twice_the_cell_has_the_same_labels():
    crystal = crystal_of(LABELS, PLACES)
    doubled, atoms = rewrite(crystal, 2)
    assert len(doubled) == 2 * len(crystal)
    order = np.random.default_rng(1).permutation(len(doubled))
    (text, first), (other, second) = poscar(crystal), poscar(doubled, order)
    (one,), (two,) = read_text(text, "poscar"), read_text(other, "poscar")
    names = dict(zip((k % len(LABELS) for k in first), one.labels, strict=False))
    assert list(two.labels) == [names[atoms[k] % len(LABELS)] for k in second]
    assert {s.label for s in one.sites} == {s.label for s in two.sites}


def test_hydrogens_of_ch2_by_the_hand_of_the_molecule():
    """In another packing of either enantiomer, where the surroundings say nothing."""
    crystal = label_by_molecule(crystal_of(LABELS, PLACES))
    own = {name: crystal.labels[LABELS.index(name)] for name in ("H4a", "H4b")}
    for mirror in (1.0, -1.0):
        other = crystal_of(LABELS, (PLACES * [1, 1, mirror]) @ TURN, size=8.5)
        found = label_by_molecule(other)
        assert {name: found.labels[LABELS.index(name)] for name in own} == own


def test_solvent_comes_after_the_molecule():
    water = np.array([[0, 4.0, 0], [0.76, 4.59, 0], [-0.76, 4.59, 0]])
    bare = crystal_of(LABELS, PLACES)
    labels = ["O9", "H9", "H10", *LABELS]
    hydrate = label_by_molecule(crystal_of(labels, np.concatenate([water, PLACES])))
    assert hydrate.labels[3 : len(labels)] == label_by_molecule(bare).labels[: len(LABELS)]
    assert hydrate.labels[0] == "O2"
    assert set(hydrate.labels[1:3]) == {"H10", "H11"}


def test_a_molecule_on_a_centre_of_inversion():
    """Ethane: one carbon and three hydrogens are distinct."""
    half = np.array([0.765 * T[0], *(0.765 * T[0] - 1.09 * T[k] for k in (1, 2, 3))])
    half -= [0.02, 0.01, 0]
    places = np.concatenate([half, -half]) + 5.0
    crystal = Crystal(
        np.array(["C", "H", "H", "H"] * 2), places, np.diag([10.0, 10.0, 10.0]), ("",) * 8
    )
    crystal = label_by_molecule(crystal)
    assert {s.label for s in crystal.sites} == {"C1", "H1", "H2", "H3"}
    assert crystal.labels[0] == crystal.labels[4]


def test_molecules_without_symmetry_are_marked():
    """Two isolated molecules: every atom is distinct, and no two are called alike."""
    places = np.concatenate([PLACES, PLACES @ TURN + 8.0])
    elements = np.array([label[0] for label in LABELS] * 2)
    crystal = label_by_molecule(Crystal(elements, places, None, ("",) * len(places)))
    assert len(set(crystal.labels)) == len(crystal)
    assert {label.partition("_")[0] for label in crystal.labels} == set(
        label_by_molecule(crystal_of(LABELS, PLACES)).labels
    )


def test_a_wider_tolerance_numbers_anew():
    crystal = crystal_of(LABELS, PLACES)
    noise = np.random.default_rng(0).normal(0, 0.01, crystal.positions.shape)
    rattled = replace(crystal, positions=crystal.positions + noise, site_ids=None)
    rattled = label_by_molecule(rattled)
    assert "C1_2" in rattled.labels
    assert "C1_2" not in find_copies(rattled, 0.1).labels


def test_molecules_that_only_a_hydrogen_joins():
    """Two waters share a proton: both are numbered."""
    places = [[0, 0, 0], [2.4, 0, 0], [1.2, 0, 0], [-0.3, 0.9, 0], [-0.3, -0.9, 0], [2.7, 0.9, 0],
              [2.7, -0.9, 0.2]]  # fmt: skip
    crystal = Crystal(np.array(list("OOHHHHH")), np.array(places), None, ("",) * 7)
    found = label_by_molecule(crystal).labels
    assert sorted(found) == ["H1", "H2", "H3", "H4", "H5", "O1", "O2"]


def test_no_bonds_no_places():
    heap = Crystal(np.array(["C"] * 3000), np.zeros((3000, 3)), np.eye(3) * 9, ("",) * 3000)
    assert label_by_molecule(heap).labels[:2] == ("C1", "C2")


def test_messages_say_which_atom_of_the_file_is_meant(tmp_path):
    from shiftcli.errors import StructureError
    from shiftcli.structure.checks import check

    crystal = label_by_molecule(crystal_of(LABELS, PLACES))
    lost = crystal.take(np.arange(len(crystal)) % len(LABELS) != LABELS.index("H1"))
    with pytest.raises(StructureError, match=r"too few neighbours at C2 \(atom 1\)"):
        check(lost)
