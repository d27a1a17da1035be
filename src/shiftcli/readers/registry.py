"""The formats that are read, one line each: adding one is a file with its reader and a line here.

A reader is a function of a file's text and name that yields one `AtomTable` a structure, or the
`ReadError` of one that cannot be read; where it raises a `ReadError`, the file ends there. It is
named and not imported, so that a CIF does not wait for ASE, nor ``--help`` for anything.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

from shiftcli.errors import ReadError, UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shiftcli.readers.atoms import AtomTable

#: Characters of a text that are looked at to find out its format.
_HEAD = 200_000


@dataclass(frozen=True)
class Format:
    """A format of structure files.

    Attributes
    ----------
    name : str
        The word for it.
    title : str
        Its name in sentences.
    suffixes : tuple of str
        Ends of the names of such files, in lower case, and beginnings of those without one.
    sniff : str
        Regular expression (of lines) that its text matches and that of no format before it.
    reader : str
        Module below `shiftcli.readers` and function, perhaps with a further argument.
    many : bool
        Whether a file holds many structures, read one after the other and labelled by a column
        that the user may name.
    once : str
        Regular expression (of lines) whose group has each of its words at most once in a file.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: str
    reader: str
    many: bool = False
    once: str = ""

    def looks_like(self, text: str) -> bool:
        """Whether a text is in this format by its contents."""
        return re.search(self.sniff, text[:_HEAD], re.MULTILINE | re.IGNORECASE) is not None

    def read(
        self, text: str, source: str, shielding_column: str | None = None
    ) -> Iterator[AtomTable | ReadError]:
        """The structures of a text, as its reader finds them."""
        words = re.findall(self.once, text, re.MULTILINE | re.IGNORECASE) if self.once else []
        for word, count in Counter(map(str.upper, words)).items():
            if count > 1:
                raise ReadError(
                    f"several structures in one file: {word} stands in it {count} times",
                    where=visible(source),
                )
        module, function, *more = self.reader.split(":")
        read = getattr(import_module(f"shiftcli.readers.{module}"), function)
        yield from read(text, source, *([shielding_column] if self.many else more))


_NUMBER = r"[ \t]*[-+.\dE]+"
_COUNT = r"\A\s*\d+[ \t]*$"
_POSCAR = (".vasp", ".poscar", "POSCAR", "CONTCAR")
_RECORD = r"^(CRYST1|ATOM  |HETATM|HEADER|MODEL )"
_VECTOR = rf"{_NUMBER}([ \t]+[-+.\dE]+){{2}}.*\n"
_LATTICE = rf"\A.*\n{_NUMBER}.*\n({_VECTOR}){{3}}"

_BLOCK = r"^\s*%BLOCK\s+(LATTICE|POSITIONS)_"
_SHELX = r"^CELL\s+[\d.]+(\s+[\d.]+){6}"

_CASTEP = r"^\s*\|\s+Welcome to .*CASTEP|^ \|\s+C+\s+A+\s+S+\s+T+\s+E+\s+P+\s+\|"

#: What is read, in the order in which a text is tried. SDF comes before those that look for a
#: word anywhere: its first line is free text.
FORMATS = (
    Format("magres", "magres", (".magres",), r"\A#\$magres-abinitio", "magres:read_magres"),
    Format("sdf", "SDF", (".sdf", ".mol"), r"\A(.*\n){3}.*\sV[23]000\s*$", "sdf:read_sdf", True),
    Format("cif", "CIF", (".cif", ".mcif", ".mmcif"), r"^[ \t]*data_\S", "cif:read_cif"),
    Format("pdb", "PDB", (".pdb", ".ent"), _RECORD, "pdb:read_pdb", once=r"^(CRYST1)"),
    Format("extxyz", "extended XYZ", (".xyz", ".extxyz"), _COUNT, "extxyz:read_extxyz", True),
    Format("res", "SHELX", (".res", ".ins"), _SHELX, "res:read_res", once=r"^(CELL)\s"),
    Format(
        "castep-cell",
        "CASTEP cell",
        (".cell",),
        _BLOCK,
        "through_ase:read_ase:castep-cell",
        once=r"^\s*%BLOCK\s+(LATTICE|POSITIONS)_",
    ),
    Format("castep", "CASTEP output", (".castep",), _CASTEP, "castep:read_castep"),
    Format("gipaw", "QE-GIPAW output", (), r"^ +Program (PWSCF|GIPAW) v", "gipaw:read_gipaw"),
    Format("poscar", "POSCAR", _POSCAR, _LATTICE, "poscar:read_poscar"),
)


def titles() -> str:
    """All formats as a list for a sentence."""
    *others, last = sorted(f.title for f in FORMATS)
    return f"{', '.join(others)} and {last}"


def named(name: str) -> Format:
    """The format of a name: one of `FORMATS`, or one of ASE's.

    Raises
    ------
    UsageError
        If there is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    from shiftcli.readers.through_ase import is_known

    if is_known(name):
        return Format(name, f"ASE's {name}", (), r"(?!)", f"through_ase:read_ase:{name}")
    names = ", ".join(f.name for f in FORMATS)
    raise UsageError(
        f"no format is called '{visible(name, 20)}'",
        hint=f"one of {names}, or a format that ASE reads",
    )


def format_of_name(name: str) -> Format | None:
    """The format that a file's name stands for, None when it says nothing."""
    plain = re.sub(r"\.gz$", "", PurePath(name).name, flags=re.IGNORECASE)
    suffix, stem = PurePath(plain).suffix.lower(), re.split(r"[._-]", plain)[0]
    found = (f for f in FORMATS if suffix in f.suffixes)
    return next(found, next((f for f in FORMATS if stem in f.suffixes), None))


def format_of_text(text: str) -> Format | None:
    """The format that a text looks like, None when it looks like none."""
    return next((f for f in FORMATS if f.looks_like(text)), None)
