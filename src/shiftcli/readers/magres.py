"""Magres files (CASTEP, Quantum ESPRESSO).

ASE's reader takes one symmetry line for a space-group name, fails where only some atoms
have a tensor, and does not know label and index glued together; so this one is own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import gemmi
import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import AtomTable, distinct, element_of, indexed, number
from shiftcli.readers.sources import safe_text
from shiftcli.readers.spacegroups import stated
from shiftcli.structure.crystal import PREDICTED_BY


@dataclass
class _Contents:
    """What a magres file says about atoms and shieldings."""

    lattice: np.ndarray | None = None
    symmetry: list[str] = field(default_factory=list)
    species: list[str] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    positions: list[list[float]] = field(default_factory=list)
    tensors: list[tuple[tuple[str, str], list[float]]] = field(default_factory=list)
    code: str = ""


def read_magres(text: str, source: str) -> Iterator[AtomTable]:
    """Read a magres file."""
    where = visible(source)
    if not text.startswith("#$magres-abinitio-v1"):
        raise ReadError("not a magres file: its first line is another", where=where)
    yield _to_table(_parse(text, where), where)


def _parse(text: str, where: str) -> _Contents:
    contents = _Contents()
    block = ""
    for count, line in enumerate(text.split("\n"), 1):
        tokens = line.split("#", 1)[0].split()
        if not tokens:
            continue
        if match := re.fullmatch(r"[\[<](/?)(\w+)[\]>]", tokens[0]):
            block = "" if match[1] else match[2]
            continue
        try:
            if block == "atoms":
                _parse_atoms_line(contents, tokens, where)
            elif block == "calculation" and tokens[0] == "calc_code":
                contents.code = tokens[1]
            elif block == "magres" and tokens[0] == "ms":
                _parse_tensor(contents, tokens)
        except (ValueError, IndexError) as error:
            raise ReadError(
                f"line {count} cannot be understood: '{safe_text(line, 40)}'", where=where
            ) from error
    if block:
        raise ReadError(f"cut off: the block [{safe_text(block, 20)}] has no end", where=where)
    return contents


def _parse_atoms_line(contents: _Contents, tokens: list[str], where: str) -> None:
    kind = tokens[0]
    if kind == "units" and tokens[1] in ("lattice", "atom") and tokens[2].lower() != "angstrom":
        raise ReadError(f"{tokens[1]} in {safe_text(tokens[2], 20)}, not Angstrom", where=where)
    if kind == "lattice":
        if contents.lattice is not None:
            raise ReadError("two lattices: several structures in one file", where=where)
        contents.lattice = np.array([number(t) for t in tokens[1:10]]).reshape(3, 3)
    elif kind == "symmetry":
        contents.symmetry.append("".join(tokens[1:]))
    elif kind == "atom":
        species = tokens[1]
        # `atom H H 7 x y z`, or from 100 atoms on perhaps `atom H H100 x y z`.
        label, index, *xyz = tokens[2:] if len(tokens) == 7 else (*_unglue(tokens[2]), *tokens[3:])
        if len(xyz) != 3:
            raise ValueError
        contents.species.append(species)
        contents.keys.append((label, index))
        contents.positions.append([number(t) for t in xyz])


def _unglue(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*\D)(\d+)", text)
    if not match:
        raise ValueError
    return match[1], match[2]


def _parse_tensor(contents: _Contents, tokens: list[str]) -> None:
    key = (tokens[1], tokens[2]) if len(tokens) == 12 else _unglue(tokens[1])
    values = [number(t) for t in tokens[-9:]]
    if len(tokens) not in (11, 12):
        raise ValueError
    contents.tensors.append((key, values))


def _to_table(contents: _Contents, where: str) -> AtomTable:
    elements = [element_of(species.split(":")[0]) for species in contents.species]
    for key, element, species in zip(contents.keys, elements, contents.species, strict=True):
        if not element:
            text = safe_text(species, 20)
            raise ReadError(f"atom {''.join(key)}: no element is called '{text}'", where=where)
    shieldings, warning = _shieldings(contents, where) if contents.tensors else (None, "")
    labels, alike = distinct([indexed(*key) for key in contents.keys])
    table = AtomTable(
        np.array(elements),
        np.array(contents.positions),
        contents.lattice,
        labels,
        whole=True,
        shieldings=shieldings,
        info={PREDICTED_BY: contents.code} if contents.code == "shiftcli" else {},
    ).with_warning(warning, alike)
    symmetries = _symmetries(contents.symmetry, where)
    # A cell without volume is for the builder to refuse.
    is_p1 = all(len(symmetry) < 2 for symmetry in symmetries)
    if table.cell is None or is_p1 or not abs(np.linalg.det(table.cell)) > 1e-6:
        return table
    fractional = table.coordinates @ np.linalg.inv(table.cell)
    return replace(table, coordinates=fractional, symmetries=symmetries, whole=False)


def _shieldings(contents: _Contents, where: str) -> tuple[np.ndarray | None, str]:
    """Isotropic shieldings of the atoms, NaN without a tensor, and a note."""
    counts = Counter(contents.keys)
    if repeated := [key for key, count in counts.items() if count > 1]:
        label = safe_text(" ".join(repeated[0]), 20)
        return None, f"shieldings left out: {label} names more than one atom"
    glued: dict[str, list[tuple[str, str]]] = {}
    for key in contents.keys:
        glued.setdefault("".join(key), []).append(key)
    found: dict[tuple[str, str], list[float]] = {}
    note = ""
    for key, tensor in contents.tensors:
        meant = [key] if key in counts else glued.get("".join(key), [])
        label = safe_text(" ".join(key), 20)
        if not meant and glued:  # without any atoms the builder says so
            raise ReadError(
                f"a tensor of {label}, which is not among the atoms: is the list of atoms cut off?",
                where=where,
            )
        if len(meant) > 1:
            raise ReadError(f"a tensor of {label}, which names more than one atom", where=where)
        if meant and found.setdefault(meant[0], tensor) is not tensor:
            if found[meant[0]] != tensor:
                raise ReadError(f"two tensors of {label} that differ: which is right?", where=where)
            note = f"the tensor of {label} is given twice"
    isotropic = {key: (t[0] + t[4] + t[8]) / 3 for key, t in found.items()}
    return np.array([isotropic.get(key, np.nan) for key in contents.keys]), note


def _symmetries(texts: list[str], where: str) -> tuple[sym.Symmetry, ...]:
    try:
        operations = [gemmi.Op(text).wrap() for text in texts]
    except (RuntimeError, ValueError) as error:
        # One line may be the name of the group instead.
        named, problem = stated("", texts, float("nan")) if len(texts) == 1 else ((), "")
        if problem or not named:
            raise ReadError(
                f"'{safe_text(texts[0], 40)}' is no symmetry operation", where=where
            ) from error
        return named
    if missing := sym.missing_operation(operations):
        raise ReadError(
            f"the symmetry operations are no space group: {missing} is missing", where=where
        )
    return (sym.from_operations(operations, sym.LISTED),) if operations else ()
