"""Crystals of one family: how they are told, and that no split parts them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from shiftcli.errors import UsageError
from shiftcli.training.config import Configuration
from shiftcli.training.data import split_crystals
from shiftcli.training.families import family_name, find_lookalikes, number_families
from shiftcli.training.report import describe
from shiftcli.training.run import gather
from shiftcli.training.sources import load_levels


@pytest.mark.parametrize(
    ("name", "source", "family"),
    [
        ("COBHUW", "a.xyz", "COBHUW"),
        ("COBHUW01", "a.xyz", "COBHUW"),
        ("COBHUW12-rattled_3", "a.xyz", "COBHUW"),
        ("", "data/COBHUW02.magres", "COBHUW"),
        ("", "data/COBHUW02.magres.gz", "COBHUW"),
        ("", "data/relaxed.magres", ""),
        ("#3", "COBHUW.xyz", ""),
        ("urea", "COBHUW.xyz", "urea"),
        ("urea01", "a.xyz", "urea01"),
        ("8_10494_144", "a.xyz", "8_10494_144"),
        ("CRYSTAL1", "a.xyz", "CRYSTAL1"),
        ("COBHUWA", "a.xyz", "COBHUWA"),
    ],
)
def test_name_of_a_family(urea, name, source, family):
    assert family_name(replace(urea, name=name, source=source)) == family


def test_what_the_file_says_under_a_key_wins(urea, copies, tmp_path):
    crystal = replace(urea, name="COBHUW01", info={"parent": "mine"})
    assert family_name(crystal, "parent") == "mine"
    assert family_name(crystal, "other") == family_name(crystal) == "COBHUW"
    text = copies[0].read_text().splitlines()
    own = [f"{line} parent={k // 8}" if "NAME" in line else line for k, line in enumerate(text)]
    (tmp_path / "own.xyz").write_text("\n".join(own) + "\n")
    labelled = load_levels([tmp_path / "own.xyz"], family_key="parent")
    assert [*labelled.families.values()] == [k // 2 for k in range(20)]
    with pytest.raises(UsageError, match="'grandparent' in its header"):
        load_levels([tmp_path / "own.xyz"], family_key="grandparent")


def test_families_are_numbered_by_first_appearance():
    assert number_families(["a", "b", "", "a", "", "c", "b"]) == [0, 1, 2, 0, 3, 4, 1]


def lines(name, shift, label="CS"):
    """A CO molecule in a cell of its own size."""
    header = f'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:{label}:R:1 {name}'
    return ["2", header, f"C 0 0 {shift:.3f} {50 + shift}", f"O 0 0 {1.13 + shift:.3f} 0"]


@pytest.fixture
def copies(tmp_path):
    """Twenty crystals, eighteen of which are there once more in another file, turned round."""
    first, second = tmp_path / "relaxed.xyz", tmp_path / "rattled.xyz"
    own = [text for k in range(20) for text in lines(f"NAME=M{k}", 0.01 * k)]
    others = [text for k in range(19, 1, -1) for text in lines(f"NAME=M{k}", 0.3 + 0.01 * k)]
    first.write_text("\n".join(own) + "\n")
    second.write_text("\n".join(others) + "\n")
    return first, second


def test_copies_go_where_their_crystal_goes(copies):
    alone, both = load_levels(copies[:1]), load_levels(copies)
    _, watched = split_crystals(alone.families, Configuration())
    assert watched.tolist() == [0, 8, 16]
    training, validation = split_crystals(both.families, Configuration())
    names = [both.main[k].name for k in validation.tolist()]
    assert sorted(names) == ["M0", "M16", "M16", "M8", "M8"]
    assert not {*names} & {both.main[k].name for k in training.tolist()}
    assert len(training) + len(validation) == 38


@pytest.mark.parametrize(
    "configuration",
    [Configuration(folds=4, fold=k) for k in range(4)]
    + [Configuration(crystals=n) for n in (1, 9, 17)]
    + [Configuration(folds=3, fold=1, crystals=7), Configuration(validation=False)],
)
def test_no_split_parts_a_family(copies, configuration):
    labelled = load_levels(copies)
    training, validation = split_crystals(labelled.families, configuration)
    learned, watched = (
        {labelled.main[k].name for k in part.tolist()} for part in (training, validation)
    )
    assert not learned & watched
    if configuration.crystals:
        assert len(learned) == configuration.crystals
        # Whole families are drawn.
        assert len(training) == sum(c.name in learned for c in labelled.main.values())
    if not configuration.validation:
        assert (len(training), len(validation)) == (38, 0)


def test_over_the_folds_every_crystal_is_watched_once(copies):
    labelled = load_levels(copies)
    watched = [
        k
        for fold in range(4)
        for k in split_crystals(labelled.families, Configuration(folds=4, fold=fold))[1].tolist()
    ]
    assert sorted(watched) == sorted(labelled.main)


def test_copies_at_another_level_of_theory_are_not_learned_from(copies):
    labelled = load_levels([copies[0], f"PBE0={copies[1]}"])
    training, validation = gather(labelled, "C", Configuration())
    assert (training.levels == 0).sum() == 17
    assert (training.levels == 1).sum() == 16  # without M8 and M16
    assert not {*training.families[training.levels == 0]} & {*validation.families}
    everything, _ = gather(labelled, "C", Configuration(validation=False))
    assert (everything.levels == 1).sum() == 18


def test_broken_structures_move_no_family(copies, tmp_path):
    text = copies[0].read_text().splitlines()
    text[4 * 3 + 3] = "C 0 0 nonsense 3"  # M3
    broken = tmp_path / "broken.xyz"
    broken.write_text("\n".join(text) + "\n")
    labelled = load_levels([broken])
    assert len(labelled.main) == 19
    _, watched = split_crystals(labelled.families, Configuration())
    assert [labelled.main[k].name for k in watched.tolist()] == ["M0", "M8", "M16"]


def test_check_lists_families_that_would_have_been_torn(copies):
    report = describe(load_levels(copies))
    torn = {family.name: family for family in report.families}
    # M16 is number 16 and 23: one would validate and one train.
    assert torn["M16"].part == "validation"
    assert torn["M16"].crystals == (f"{copies[0]}: M16", f"{copies[1]}: M16")
    assert "M5" not in torn
    # All look alike here, whatever they are called.
    assert any("formula and cell of one" in problem for problem in report.problems)
    assert describe(load_levels(copies[:1])).families == ()


def test_lookalikes_are_of_other_families(urea):
    urea = replace(urea, name="")
    stretched = replace(urea, cell=urea.cell * 1.03, positions=urea.positions * 1.03)
    crystals = dict(enumerate([urea, replace(urea, positions=urea.positions + 0.01), stretched]))
    assert find_lookalikes(crystals, {0: 0, 1: 1, 2: 2}) == [(1, 0)]
    assert find_lookalikes(crystals, {0: 0, 1: 0, 2: 2}) == []


def test_folds_need_validation():
    with pytest.raises(UsageError, match="go with validation"):
        Configuration(folds=3, validation=False)


def test_published_copies(published):
    rattled = Path(published[0].source).with_name("csd-396-rattled.xyz")
    if not rattled.is_file():
        pytest.skip("the rattled crystals are not here")
    relaxed = [family_name(crystal) for crystal in published]
    copies = re.findall(r" NAME=([A-Z]{6})", rattled.read_text())
    numbers = number_families([*relaxed, *copies])
    assert numbers[:400] == list(range(400))
    _, validation = split_crystals(dict(enumerate(numbers)), Configuration())
    assert [k for k in validation.tolist() if k < 400] == list(range(0, 400, 8))
    watched = {relaxed[k] for k in range(0, 400, 8)}
    assert {copies[k - 400] for k in validation.tolist() if k >= 400} <= watched
