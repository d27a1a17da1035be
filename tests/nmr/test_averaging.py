"""Exchanging sites are found from bonds, whatever symmetry makes of them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.averaging import CORRELATION, average, average_prediction, mean_uncertainty
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.structure.crystal import Crystal


def predict(crystal, elements="HCNO"):
    """A prediction whose k-th site is shielded by k ppm, with an uncertainty of 0.1·(k + 1)."""
    rows = [
        SitePrediction(site, float(k), 0.1 * (k + 1), 0.2 * (k + 1))
        for k, site in enumerate(crystal.sites)
        if site.element in elements
    ]
    return Prediction(crystal, tuple(rows))


def crystal_of(symbols, positions, cell=None):
    """Atoms labelled C1, C2, ..., H1, ... in a cell."""
    counts = {}
    labels = []
    for symbol in symbols:
        counts[symbol] = counts.get(symbol, 0) + 1
        labels.append(f"{symbol}{counts[symbol]}")
    return Crystal(np.array(symbols), np.array(positions, dtype=float), cell, tuple(labels))


def molecule(name, cell=None, **changes):
    from ase.build import molecule as build

    atoms = build(name)
    return replace(crystal_of(atoms.get_chemical_symbols(), atoms.positions, cell), **changes)


def ring(opposite="H", substituent="O", length=1.39, para="C"):
    """A six-membered ring in the xy plane: `substituent` on atom 1, `opposite` on atom 4."""
    symbols, positions = [], []
    for k in range(6):
        angle = math.radians(60 * k)
        direction = np.array([math.cos(angle), math.sin(angle), 0.0])
        outer = {0: substituent, 3: opposite}.get(k, "H")
        symbols.append(para if k == 3 else "C")
        positions.append(length * direction)
        if outer:
            symbols.append(outer)
            positions.append((length + (1.09 if outer == "H" else 1.36)) * direction)
    order = sorted(range(len(symbols)), key=lambda k: "CNOH".index(symbols[k]))
    return crystal_of([symbols[k] for k in order], [positions[k] for k in order])


def rows_of(prediction, group):
    return [row for row in prediction.sites if row.site.label in group.labels]


def names(groups, kind=None):
    return [g.site.label for g in groups if kind is None or g.kind == kind]


def test_methyl_of_an_isolated_molecule():
    prediction = predict(molecule("CH3CH2OH"))
    groups = average(prediction)
    (methyl,) = [g for g in groups if g.kind == "CH3"]
    assert len(methyl.labels) == 3
    assert methyl.site.multiplicity == 3
    assert methyl.shielding == pytest.approx(
        np.mean([row.shielding for row in rows_of(prediction, methyl)])
    )
    assert methyl.site.species == "1H"
    assert sum(len(g.labels) for g in groups) == 9
    assert len(groups) == 7


def test_none_keeps_all_sites_apart():
    prediction = predict(molecule("CH3CH2OH"))
    groups = average(prediction, ())
    assert names(groups) == [row.site.label for row in prediction.sites]
    assert [g.shielding for g in groups] == [row.shielding for row in prediction.sites]
    assert [g.uncertainty for g in groups] == pytest.approx(
        [r.uncertainty for r in prediction.sites]
    )
    assert average_prediction(prediction, ()) is prediction


def test_ammonium_group_is_not_a_methyl_group():
    crystal = crystal_of(
        ["C", "N", "O", "H", "H", "H"],
        [[0, 0, 0], [1.49, 0, 0], [-0.6, 1.1, 0], [1.85, 0.97, 0], [1.85, -0.49, 0.84],
         [1.85, -0.49, -0.84]],
    )  # fmt: skip
    assert names(average(predict(crystal)), "NH3") == ["H1,H2,H3"]
    assert names(average(predict(crystal), ["CH3"]), "CH3") == []
    assert len(average(predict(crystal), ["CH3"])) == 6


def test_methyl_group_on_a_mirror_is_weighted_by_atoms():
    """Methanol has one hydrogen in its mirror plane and two beside it."""
    crystal = molecule("CH3OH", np.diag([9.0, 10.0, 11.0]))
    prediction = predict(crystal)
    (methyl,) = [g for g in average(prediction) if g.kind == "CH3"]
    rows = rows_of(prediction, methyl)
    assert sorted(row.site.multiplicity for row in rows) == [1, 2]
    assert methyl.site.multiplicity == 3
    expected = sum(row.shielding * row.site.multiplicity for row in rows) / 3
    assert methyl.shielding == pytest.approx(expected)
    assert methyl.aliases == {crystal.labels[a] for row in rows for a in row.site.atoms}


def test_methyl_group_on_a_threefold_axis_is_one_site():
    a = 8.0
    cell = np.array([[a, 0, 0], [-a / 2, a * math.sqrt(3) / 2, 0], [0, 0, 9.0]])
    prediction = predict(molecule("CH3CN", cell))
    (methyl,) = [g for g in average(prediction) if g.kind == "CH3"]
    assert methyl.members == ()
    assert len(methyl.labels) == 1
    assert methyl.site.multiplicity == 3
    (row,) = rows_of(prediction, methyl)
    assert methyl.uncertainty == pytest.approx(row.uncertainty)


def test_symmetry_distinct_molecules_stay_apart():
    """Two molecules a cell, one of them turned: Z' = 2."""
    one = molecule("CH3OH")
    turned = one.positions[:, [2, 0, 1]] * [1, 1, 1.02] + 5.0
    crystal = crystal_of(
        [*one.elements, *one.elements], np.vstack([one.positions, turned]),
        np.array([[10.0, 0, 0], [1, 11, 0], [2, 1, 12]]),
    )  # fmt: skip
    methyls = [g for g in average(predict(crystal)) if g.kind == "CH3"]
    assert len(methyls) == 2
    assert not set(methyls[0].labels) & set(methyls[1].labels)


def test_walls_of_the_cell_split_no_group():
    one = molecule("CH3OH", np.diag([7.0, 8.0, 9.0]))
    folded = replace(one, positions=one.positions % [7.0, 8.0, 9.0])
    assert names(average(predict(folded)), "CH3") == names(average(predict(one)), "CH3")


@pytest.mark.parametrize(
    "crystal", [ring(), ring(opposite="O"), ring(para="N", opposite=""), ring(opposite="C")]
)
def test_phenyl_flips_exchange_ortho_and_meta(crystal):
    groups = average(predict(crystal), ["phenyl"])
    assert len([g for g in groups if g.kind]) == 4
    for group in (g for g in groups if g.kind):
        assert group.kind == "phenyl"
        first, second = (crystal.positions[crystal.labels.index(label)] for label in group.labels)
        assert first == pytest.approx(second * [1, -1, 1])  # the axis of the flip is x


@pytest.mark.parametrize(
    "crystal",
    [ring(substituent="H"), ring("O", length=1.47), ring(substituent="H", para="N", opposite="")],
)  # fmt: skip
def test_rings_that_do_not_flip(crystal):
    """Benzene and pyridine have no axis through a substituent, quinones are no phenyl rings."""
    assert not any(g.kind for g in average(predict(crystal), ["phenyl"]))


def test_phenyl_rings_do_not_flip_unless_asked():
    assert not any(g.kind for g in average(predict(ring())))


def test_flipping_ring_about_an_inversion_centre():
    """Ortho and meta are one site then, of four atoms."""
    crystal = replace(ring(opposite="O"), cell=np.array([[9.0, 0, 0], [1, 10, 0], [2, 1, 8]]))
    groups = [g for g in average(predict(crystal), ["phenyl"]) if g.kind]
    assert [(g.site.element, g.site.multiplicity) for g in groups] == [("C", 4), ("H", 4)]


def test_flipping_ring_across_a_wall():
    here = replace(ring(), cell=np.diag([9.0, 10.0, 8.0]))
    moved = (here.positions + np.array([0.3, 0.2, 0])) % [9.0, 10.0, 8.0]
    groups = average(predict(replace(here, positions=moved)), ["phenyl"])
    assert names(groups, "phenyl") == names(average(predict(here), ["phenyl"]), "phenyl")
    assert sum(g.site.multiplicity for g in groups if g.kind) == 8


def test_only_what_was_predicted():
    groups = average(predict(molecule("CH3CH2OH"), "CO"))
    assert {g.site.element for g in groups} == {"C", "O"}


def test_unknown_exchange():
    with pytest.raises(UsageError, match="no exchange is called 'NH2'"):
        average(predict(molecule("CH3OH")), ["NH2"])


def test_uncertainty_of_a_mean():
    """Between that of independent errors and that of equal ones; unequal sites weigh as atoms."""
    assert mean_uncertainty([1], [0.7]) == pytest.approx(0.7)
    three = mean_uncertainty([1, 1, 1], [0.6, 0.6, 0.6])
    assert 0.6 / math.sqrt(3) < three < 0.6
    assert three == pytest.approx(0.6 * math.sqrt(CORRELATION + (1 - CORRELATION) / 3))
    assert mean_uncertainty([1, 2], [0.6, 0.0]) == pytest.approx(0.2)
    assert math.isnan(mean_uncertainty([1, 1], [0.6, math.nan]))


def test_prediction_with_a_row_for_each_group():
    prediction = predict(molecule("CH3OH", np.diag([9.0, 10.0, 11.0])))
    first = replace(prediction.sites[-1], flags=("far",))
    flagged = replace(prediction, sites=(*prediction.sites[:-1], first))
    averaged = average_prediction(flagged, ("CH3",))
    (row,) = [r for r in averaged.sites if "," in r.site.label]
    assert row.site.multiplicity == 3
    assert row.site.atoms.tolist() == sorted(row.site.atoms.tolist())
    assert row.flags == ("far",)
    (methyl,) = [g for g in average(flagged) if g.kind]
    assert methyl.flags == ("far",)
    assert sum(r.site.multiplicity for r in averaged.sites) == len(prediction.crystal)


def test_published_crystals(published):
    """Every hydrogen is in one group; every methyl carbon has one."""
    from shiftcli.structure.bonds import find_bonds

    for crystal in published[:16]:
        groups = average(predict(crystal))
        assert sum(g.site.multiplicity for g in groups) == len(crystal)
        bonds = find_bonds(crystal)
        carbons = np.flatnonzero((bonds.elements == "C") & (bonds.count("H") == 3))
        atoms = sum(g.site.multiplicity for g in groups if g.kind == "CH3")
        assert atoms == 3 * len(carbons)
