"""Space groups by name."""

import pytest

from shiftcli.readers.spacegroups import find_by_name, stated


def meanings(name):
    return [group.xhm() for group in find_by_name(name).groups]


@pytest.mark.parametrize(
    "name",
    [
        "P 21/n", "P21/n", "P2(1)/n", "P 2_1/n", "P 2~1~/n", "P2sub1/n", "P 2sub1/n", "P 2 1/n",
        "P2<sub>1</sub>/n", "P2$_{1}$/n", "P2₁/n", "P_2_1/n", "p 21/N", "P21 / n", "'P 21/n'",
        "P 21/n (14)", "P 21/n (No. 14)", "P21/n No. 14", "P 21/n [14]",
    ],
)  # fmt: skip
def test_spellings_of_one_name(name):
    assert meanings(name) == ["P 1 21/n 1", "P 1 1 21/n", "P 21/n 1 1"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("P 1 21/n", ["P 1 21/n 1"]),
        ("P121/n1", ["P 1 21/n 1"]),
        ("P 21/b", ["P 1 1 21/b", "P 21/b 1 1"]),
        ("P 2(1)2(1)2(1)", ["P 21 21 21"]),
        ("P2 1 2 1 2 1", ["P 21 21 21"]),
        ("P_21_21_21", ["P 21 21 21"]),
        ("Pna2_1", ["P n a 21"]),
        ("P\\bar{1}", ["P -1"]), ("P1\u0304", ["P -1"]), ("P \u22121", ["P -1"]),
        ("P3(2)", ["P 32"]), ("P 3 2 1", ["P 3 2 1"]),
        ("R -3 c", ["R -3 c:H", "R -3 c:R"]), ("R -3 c RS", ["R -3 c:R"]), ("R-3cH", ["R -3 c:H"]),
        ("R-3 (hexagonal axes)", ["R -3:H"]), ("H 3", ["R 3:H"]), ("R -3 m :R", ["R -3 m:R"]),
        ("I 41/a", ["I 41/a:1", "I 41/a:2"]), ("I41/a Z", ["I 41/a:2"]), ("I41/aS", ["I 41/a:1"]),
        ("I 41/a (2)", ["I 41/a:2"]), ("P 42/n (origin choice 2)", ["P 42/n:2"]),
        ("P a 3", ["P a -3"]), ("Fd3m:2", ["F d -3 m:2"]),
        ("P 21/n 21/m 21/a", ["P n m a"]), ("P 63/m 2/m 2/c", ["P 63/m m c"]),
        ("P 4/m 2/m 2/m", ["P 4/m m m"]), ("F 41/d -3 2/m", ["F d -3 m:1", "F d -3 m:2"]),
        ("Cmce", ["C m c a"]), ("P n a m", ["P n a m"]), ("C 2/c", ["C 1 2/c 1", "C 2/c 1 1"]),
        ("P1211", ["P 1 21 1"]), ("P_1_21/c_1", ["P 1 21/c 1"]),
        ("P21/C ; 14", ["P 1 21/c 1", "P 21/c 1 1"]),
        # Axes and cell choice, as in cctbx: those of the name, or of the group by its usual name.
        ("P 21/c :b1", ["P 1 21/c 1"]), ("P21/c:b2", ["P 1 21/n 1"]),
        ("P 21/n (b2)", ["P 1 21/n 1"]),
        ("C2/c:-b1", ["A 1 2/a 1"]), ("I 2/a :b3", ["I 1 2/a 1"]), ("P 1211 :b1", ["P 1 21 1"]),
        ("Pnma:CAB", ["P b n m"]), ("P b c n :a-cb", ["P c n b"]), ("P 21 : c", ["P 1 1 21"]),
        ("P-1:1", ["P -1"]),
    ],
)  # fmt: skip
def test_names_and_the_settings_they_leave_open(name, settings):
    assert meanings(name) == settings


@pytest.mark.parametrize(
    "name",
    [
        "P 7 7 7",
        "P 31 2",
        "",
        "P",
        "unknown",
        "P 21/n :3",
        "B 21/c",
        "P 21/n RS",
        "P 21/n :b1",
        "P 21/a:b2",
        "P21/c:b4",
        "P 21/c:x",
        "P b n m :bca",
        "x" * 500,
    ],
)
def test_what_is_no_name(name):
    assert meanings(name) == []


@pytest.mark.parametrize(
    ("hall", "names", "number", "problem"),
    [
        ("", ["P 21/n"], 15, "the number is 15, the name 'P 21/n' is 14"),
        ("", ["P 21/n (15)"], float("nan"), "the number beside the name 'P 21/n (15)' is 15"),
        ("", ["P 21/n :b1"], 14, "not known: 'b1' is no setting of P 21/n"),
        ("", ["P 7 7 7"], 14, "the space group 'P 7 7 7' is not known"),
        ("-P 1", ["P 21/c"], 14, "the Hall symbol -P 1 is 2"),
    ],
)
def test_statements_that_disagree(hall, names, number, problem):
    assert problem in stated(hall, names, number)[1]


def test_statements_that_agree():
    symmetries, problem = stated("-P 2yn", ["P 21/n", "P 1 21/n 1"], 14)
    assert ([s.origin for s in symmetries], problem) == (["the Hall symbol -P 2yn"], "")
    symmetries, problem = stated("nonsense", ["P21/n", "P 1 21/n 1"], float("nan"))
    assert ([s.origin for s in symmetries], problem) == (["the space group P 1 21/n 1"], "")
    assert [len(s) for s in stated("", [], 88)[0]] == [16, 16]
    assert stated("", [], float("nan")) == ((), "")
