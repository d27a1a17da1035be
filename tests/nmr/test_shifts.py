"""Shielding to shift."""

import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import NAMED, from_line, parse_references, read_references


def test_soprano_formula():
    made = parse_references("C:168.64,H:30.96", "C:-0.97")
    assert made.shift("H", 5.0) == pytest.approx((30.96 - 5.0) / (1 - 30.96e-6), rel=1e-12)
    assert made.shift("C", 100.0) == pytest.approx((168.64 - 97.0) / (1 - 168.64e-6), rel=1e-12)


def test_nothing_is_applied_silently():
    assert parse_references("H:30.96").shift("N", 100.0) is None
    assert parse_references().shift("H", 5.0) is None


def test_blanks_are_harmless():
    assert parse_references(" C : 168.64 , H:30.96 ").references == {"C": 168.64, "H": 30.96}


@pytest.mark.parametrize(
    "text", ["C", "C:", "C:x", "Si:300", "C=1", "C:1,C:2", "C:nan", "C:inf", "C:1e6"]
)
def test_malformed_references(text):
    with pytest.raises(UsageError, match="cannot read"):
        parse_references(text)


def test_gradient_without_reference():
    with pytest.raises(UsageError, match="names N, --references does not"):
        parse_references("C:168.64", "N:-1")


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_sets_say_where_they_are_from(name):
    made = parse_references(name.upper())
    assert made == NAMED[name]
    assert made.sources
    assert made.notes(()) == tuple(f"references: {source}" for source in made.sources)


def test_nitrogen_and_oxygen_need_their_own_word():
    assert set(parse_references("probasn").references) == {"H", "C"}
    made = parse_references("probasn-all")
    assert made.references == {"H": 30.96, "C": 168.64, "N": 185.99, "O": 205.08}
    assert "indicative" in made.sources[0]


def test_sets_and_numbers_together():
    made = parse_references("nmrx, C:170", "H:-0.95")
    assert made.references == {"H": 30.36, "C": 170.0}
    assert (made.gradient("H"), made.gradient("C")) == (-0.95, -1.0)
    with pytest.raises(UsageError, match="H is named twice"):
        parse_references("nmrx,H:30")
    with pytest.raises(UsageError, match="named twice"):
        parse_references("H:30", "H:-1,H:-0.9")
    with pytest.raises(UsageError, match=r"probasn, .*\.toml file"):
        parse_references("probasnn")


def test_gradient_alone_where_offsets_are_fitted():
    made = parse_references("", "N:-0.9", alone=True)
    assert (made.gradient("N"), made.shift("N", 1.0)) == (-0.9, None)


def test_lines_and_references_are_inverse():
    made = parse_references("C:168.64", "C:-0.97")
    offset, slope = made.line("C")
    assert from_line(offset, slope) == pytest.approx((168.64, -0.97), rel=1e-12)
    assert made.shift("C", 50.0) == pytest.approx(offset + slope * 50.0)


def test_file_of_references(tmp_path):
    path = tmp_path / "refs.toml"
    path.write_text(
        '[weights]\n"a" = "f00"\n[nucleus.H]\nreference = 30.5\ngradient = -0.98\n'
        "reference_error = 0.1\n[nucleus.13C]\nreference = 169\n"
    )
    made = parse_references(f"{path},N:180", "C:-0.9")
    assert made.references == {"H": 30.5, "C": 169.0, "N": 180.0}
    assert (made.gradient("H"), made.gradient("C"), made.gradient("N")) == (-0.98, -0.9, -1.0)
    assert made.notes({"f00", "ba5"}) == (f"references: {path}",)
    assert "other networks" in made.notes({"ba5"})[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reference = 1\n", "no table"),
        ("[nucleus]\n", "no table"),
        ("[nucleus.F]\nreference = 1\n", "is none of H, C, N, O"),
        ("[nucleus.H]\ngradient = -1\n", "no reference that is a number"),
        ("[nucleus.H]\nreference = 30\nslope = -0.9\n", "has no 'slope'"),
        ("[nucleus.H]\nreference = true\n", "no reference that is a number"),
        ("[nucleus.H]\nreference = nan\n", "no reference that is a number"),
        ("[nucleus.H]\nreference = 30\ngradient = 'x'\n", "no gradient that is a number"),
        ("nonsense", "is not TOML"),
    ],
)
def test_malformed_files(tmp_path, text, words):
    path = tmp_path / "refs.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        parse_references(str(path))
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_references(tmp_path / "nowhere.toml")


def test_named_sets_have_sources():
    from shiftcli.nmr.shifts import NAMED, describe_named

    assert {name for name, _, _ in describe_named()} == set(NAMED)
    assert all(source for _, _, source in describe_named())
    line = NAMED["gipaw-pbe"].line("C")
    assert line == pytest.approx((166.23, -0.9732))


def test_swapped_references_are_noted():
    from shiftcli.nmr.shifts import References

    (note,) = References({"H": 30.96, "C": 30.96}).notes(())
    assert note.startswith("a reference of 30.96 ppm for 13C is unusual")
    assert References({"H": 30.96, "C": 168.64, "N": 0.0}).notes(()) == ()
