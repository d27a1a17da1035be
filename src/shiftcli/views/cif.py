"""Predictions as CIF with further atom-site columns.

The names of the columns are in no dictionary of the IUCr; programs that do not know them skip them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from shiftcli import __version__
from shiftcli.errors import UsageError, visible
from shiftcli.prediction.predictor import Prediction
from shiftcli.readers.atoms import distinct
from shiftcli.readers.cif import PREDICTION
from shiftcli.readers.symmetry import Symmetry, expand
from shiftcli.results.predictions import Results, flags_of_atoms, per_atom
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import formula_unit
from shiftcli.views.labels import UNUSUAL, as_words

if TYPE_CHECKING:
    import gemmi

#: Atom-site columns, all in ppm, and the columns of `Results.row` that they hold.
TAGS = {
    "_atom_site_nmr_shielding_iso": "MS_shielding/ppm",
    "_atom_site_nmr_shielding_iso_uncertainty": "MS_shielding_uncertainty/ppm",
    "_atom_site_nmr_shielding_iso_uncertainty95": "MS_shielding_uncertainty95/ppm",
    "_atom_site_nmr_shift_iso": "MS_shift/ppm",
}

#: Atom-site column of flags.
FLAGS = "_atom_site_nmr_shielding_flags"

#: Atoms made by the symmetry and those that were predicted are the same up to this (Å).
_SAME_PLACE = 0.05


def write_cif(results: Results) -> str:
    """Write predictions as the data blocks of a CIF.

    A block each: cell, symmetry and asymmetric unit as they were read, the geometry that was
    predicted, and the columns in `TAGS`. Where the symmetry is not known, or disorder has lowered
    it, all atoms of the cell in P 1. `UsageError` if a structure has no unit cell.
    """
    import gemmi

    document = gemmi.cif.Document()
    names = [p.crystal.name.lstrip("#") or "structure" for p in results.predictions]
    names = distinct(as_words(names, UNUSUAL))[0]
    for name, prediction in zip(names, results.predictions, strict=True):
        _write_block(document.add_new_block(name), results, prediction)
    return document.as_string()


def _write_block(block: gemmi.cif.Block, results: Results, prediction: Prediction) -> None:
    import gemmi

    crystal = prediction.crystal
    if crystal.cell is None:
        raise UsageError(
            "a CIF holds crystals, and this molecule has no unit cell",
            where=crystal.where,
            hint="use --format xyz, magres or json",
        )
    notes = [
        f"Isotropic shieldings in ppm predicted by shiftcli {__version__}, model "
        f"{results.predictor.model}, with half widths of their 68 and 95 % intervals.",
        *(visible(text, 10_000) for text in crystal.warnings),
    ]
    block.set_pair("_audit_creation_method", gemmi.cif.quote("\n".join(notes)))
    block.set_pair(PREDICTION, gemmi.cif.quote(f"shiftcli {__version__}"))
    formula, units = formula_unit(crystal)
    block.set_pair("_chemical_formula_sum", gemmi.cif.quote(formula))
    block.set_pair("_cell_formula_units_Z", str(units))
    # Lengths and angles do not tell a left-handed cell; turned round it is a right-handed one.
    is_right_handed = np.linalg.det(crystal.cell) > 0
    cell = crystal.cell if is_right_handed else -crystal.cell
    fractional = crystal.positions @ np.linalg.inv(cell)
    _write_cell(block, cell)
    is_symmetric = is_right_handed and _obeys_operations(crystal, cell, fractional)
    _write_symmetry(block, crystal.operations if is_symmetric else ("x,y,z",))
    found = per_atom(results, prediction)
    columns = {
        tag: [
            f"{value:.{results.precision}f}" if np.isfinite(value) else "?" for value in found[name]
        ]
        for tag, name in TAGS.items()
        if name in found
    }
    if any(row.flags for row in prediction.sites):
        columns[FLAGS] = [gemmi.cif.quote(" ".join(f) or ".") for f in flags_of_atoms(prediction)]
    _write_atoms(block, crystal, fractional, columns, is_symmetric)


def _write_cell(block: gemmi.cif.Block, cell: np.ndarray) -> None:
    lengths = np.linalg.norm(cell, axis=1)
    for axis, length in zip("abc", lengths, strict=True):
        block.set_pair(f"_cell_length_{axis}", f"{length:.6f}")
    for k, name in enumerate(("alpha", "beta", "gamma")):
        i, j = (axis for axis in range(3) if axis != k)
        angle = math.degrees(math.acos(cell[i] @ cell[j] / (lengths[i] * lengths[j])))
        block.set_pair(f"_cell_angle_{name}", f"{angle:.6f}")


def _obeys_operations(crystal: Crystal, cell: np.ndarray, fractional: np.ndarray) -> bool:
    """Whether the file's operations make all atoms of each site from its first one."""
    if not crystal.operations:
        return False
    import gemmi

    operations = [gemmi.Op(text) for text in crystal.operations]
    symmetry = Symmetry(
        np.array([op.rot for op in operations]) / gemmi.Op.DEN,
        np.array([op.tran for op in operations]) / gemmi.Op.DEN,
        "",
    )
    first = np.array([site.atoms[0] for site in crystal.sites])
    images, of_site, _ = expand(fractional[first], cell, symmetry)
    for k, site in enumerate(crystal.sites):
        made = images[of_site == k]
        if len(made) != site.multiplicity:
            return False
        offsets = made[:, None] - fractional[site.atoms]
        distance = np.linalg.norm((offsets - np.round(offsets)) @ cell, axis=2)
        if max(distance.min(axis=0).max(), distance.min(axis=1).max()) > _SAME_PLACE:
            return False
    return True


def _write_symmetry(block: gemmi.cif.Block, operations: tuple[str, ...]) -> None:
    import gemmi

    group = gemmi.find_spacegroup_by_ops(gemmi.GroupOps([gemmi.Op(text) for text in operations]))
    if group is not None:
        block.set_pair("_space_group_name_H-M_alt", gemmi.cif.quote(group.xhm()))
        block.set_pair("_space_group_IT_number", str(group.number))
    loop = block.init_loop("_space_group_symop_", ["operation_xyz"])
    for operation in operations:
        loop.add_row([operation])


def _write_atoms(
    block: gemmi.cif.Block,
    crystal: Crystal,
    fractional: np.ndarray,
    columns: Mapping[str, Sequence[str]],
    is_symmetric: bool,
) -> None:
    """One row a site, or in P 1 one an atom."""
    import gemmi

    places = [(int(site.atoms[0]), site.multiplicity) for site in crystal.sites]
    if not is_symmetric:
        places = [(k, 1) for k in range(len(crystal))]
    labels = distinct([visible(crystal.labels[k]) for k, _ in places])[0]
    loop = block.init_loop("_atom_site_", [
        "label", "type_symbol", "fract_x", "fract_y", "fract_z", "site_symmetry_multiplicity",
        *(tag.removeprefix("_atom_site_") for tag in columns),
    ])  # fmt: skip
    for (k, multiplicity), label in zip(places, labels, strict=True):
        loop.add_row(
            [
                gemmi.cif.quote(label),
                str(crystal.elements[k]),
                *(f"{x:.7f}" for x in fractional[k]),
                str(multiplicity),
                *(column[k] for column in columns.values()),
            ]
        )
