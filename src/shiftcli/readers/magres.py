"""Magres files (CASTEP, Quantum ESPRESSO).

ASE's reader takes one symmetry line for a space-group name, fails where only some atoms
have a tensor, and does not know label and index glued together; so this one is own.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import gemmi
import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import distinct, element_of, indexed, make_crystal, refuse_too_many
from shiftcli.readers.sources import safe_text
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import find_neighbours


@dataclass
class _Contents:
    """What a magres file says about atoms and shieldings."""

    lattice: np.ndarray | None = None
    symmetry: list[str] = field(default_factory=list)
    species: list[str] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    positions: list[list[float]] = field(default_factory=list)
    shieldings: dict[tuple[str, str], float] = field(default_factory=dict)


def read_magres(text: str, source: str) -> Crystal:
    """Read a magres file.

    Parameters
    ----------
    text : str
        Contents of the file.
    source : str
        Name of the file, for messages.

    Returns
    -------
    Crystal

    Raises
    ------
    ReadError
        If the file is none, is broken, or its atoms and symmetry make no crystal.
    """
    where = visible(source)
    if not text.startswith("#$magres-abinitio-v1"):
        raise ReadError("not a magres file: its first line is another", where=where)
    return _to_crystal(_parse(text, where), source, where)


def _parse(text: str, where: str) -> _Contents:
    contents = _Contents()
    block = ""
    for number, line in enumerate(text.split("\n"), 1):
        tokens = line.split("#", 1)[0].split()
        if not tokens:
            continue
        if match := re.fullmatch(r"[\[<](/?)(\w+)[\]>]", tokens[0]):
            block = "" if match[1] else match[2]
            continue
        try:
            if block == "atoms":
                _parse_atoms_line(contents, tokens, where)
            elif block == "magres" and tokens[0] == "ms":
                _parse_tensor(contents, tokens)
        except (ValueError, IndexError) as error:
            raise ReadError(
                f"line {number} cannot be understood: '{safe_text(line, 40)}'", where=where
            ) from error
    if block:
        raise ReadError(f"cut off: the block [{safe_text(block, 20)}] has no end", where=where)
    return contents


def _parse_atoms_line(contents: _Contents, tokens: list[str], where: str) -> None:
    kind = tokens[0]
    if kind == "units" and tokens[1] in ("lattice", "atom") and tokens[2].lower() != "angstrom":
        raise ReadError(f"{tokens[1]} in {safe_text(tokens[2], 20)}, not Angstrom", where=where)
    if kind == "lattice":
        contents.lattice = np.array([float(t) for t in tokens[1:10]]).reshape(3, 3)
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
        contents.positions.append([float(t) for t in xyz])


def _unglue(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*\D)(\d+)", text)
    if not match:
        raise ValueError
    return match[1], match[2]


def _parse_tensor(contents: _Contents, tokens: list[str]) -> None:
    key = (tokens[1], tokens[2]) if len(tokens) == 12 else _unglue(tokens[1])
    values = [float(t) for t in tokens[-9:]]
    if len(tokens) not in (11, 12):
        raise ValueError
    contents.shieldings[key] = (values[0] + values[4] + values[8]) / 3


def _to_crystal(contents: _Contents, source: str, where: str) -> Crystal:
    if not contents.keys:
        raise ReadError("no atoms", where=where)
    warnings = []
    elements = [element_of(species.split(":")[0]) for species in contents.species]
    for key, element, species in zip(contents.keys, elements, contents.species, strict=True):
        if not element:
            text = safe_text(species, 20)
            raise ReadError(f"atom {''.join(key)}: no element is called '{text}'", where=where)
    shieldings = None
    if contents.shieldings:
        repeated = [key for key, count in Counter(contents.keys).items() if count > 1]
        if repeated:
            label = safe_text(" ".join(repeated[0]), 20)
            warnings.append(f"shieldings left out: {label} names more than one atom")
        else:
            shieldings = np.array([contents.shieldings.get(k, np.nan) for k in contents.keys])
    labels, repeated_labels = distinct([indexed(*key) for key in contents.keys])
    warnings += [repeated_labels] if repeated_labels else []
    refuse_too_many(len(contents.keys), where)
    positions = np.array(contents.positions)
    cell = contents.lattice
    # make_crystal refuses coordinates and cells that no symmetry could be applied to.
    crystal = make_crystal(
        elements, positions, cell, labels, source=source, warnings=warnings, shieldings=shieldings
    )
    if cell is None or len(contents.symmetry) == 0:
        return crystal
    symmetry = _symmetry(contents.symmetry, where)
    if not sym.fits_cell(symmetry, cell):
        raise ReadError("the cell does not obey its symmetry operations", where=where)
    return crystal if len(symmetry) == 1 else _with_symmetry(crystal, symmetry, where)


def _symmetry(texts: list[str], where: str) -> sym.Symmetry:
    try:
        operations = [gemmi.Op(text).wrap() for text in texts]
    except (RuntimeError, ValueError) as error:
        group = gemmi.find_spacegroup_by_name(texts[0]) if len(texts) == 1 else None
        if group is None:
            raise ReadError(
                f"'{safe_text(texts[0], 40)}' is no symmetry operation", where=where
            ) from error
        operations = list(group.operations())
    if missing := sym.missing_operation(operations):
        raise ReadError(
            f"the symmetry operations are no space group: {missing} is missing", where=where
        )
    return sym.from_operations(operations, "the file's operations")


def _with_symmetry(crystal: Crystal, symmetry: sym.Symmetry, where: str) -> Crystal:
    """Expand an asymmetric unit; recognise a list of all atoms and take its sites."""
    assert crystal.cell is not None  # whoever calls has symmetry, and with it a cell
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    images, site, _ = sym.expand(fractional, crystal.cell, symmetry)
    partner = _partners(crystal.cell, fractional % 1.0, images)
    is_listed = partner >= 0
    if is_listed.all():
        first = np.arange(len(crystal))
        np.minimum.at(first, partner, site)
        return _renew(crystal, np.arange(len(crystal)), crystal.positions, first)
    if (is_listed & (partner != site)).any():
        label = crystal.labels[int(site[np.argmax(is_listed & (partner != site))])]
        raise ReadError(
            f"atoms are neither the whole cell nor the asymmetric unit (see {label})", where=where
        )
    return _renew(crystal, site, images @ crystal.cell, site)


def _partners(cell: np.ndarray, listed: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The nearest listed atom of each image, -1 where none is in its place."""
    n, places = len(listed), np.concatenate([listed, images]) @ cell
    near = find_neighbours(cell, places, sym.SPECIAL_POSITION_TOLERANCE)
    near = near.where((near.first >= n) & (near.second < n))
    partner = np.full(len(images), -1)
    far_to_near = np.argsort(-near.distances)  # the nearest is written last
    partner[near.first[far_to_near] - n] = near.second[far_to_near]
    return partner


def _renew(
    crystal: Crystal, rows: np.ndarray, positions: np.ndarray, site_ids: np.ndarray
) -> Crystal:
    return make_crystal(
        crystal.elements[rows],
        positions,
        crystal.cell,
        [crystal.labels[k] for k in rows],
        source=crystal.source,
        warnings=crystal.warnings,
        shieldings=None if crystal.shieldings is None else crystal.shieldings[rows],
        site_ids=site_ids,
    )
