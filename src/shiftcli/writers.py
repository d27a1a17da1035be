"""Predictions become csv, json, extended XYZ and magres."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli import __version__
from shiftcli.checkpoint import replacing
from shiftcli.crystal import SPECIES
from shiftcli.errors import UsageError
from shiftcli.predictor import Failure, Prediction, Predictor, SitePrediction
from shiftcli.readers import STDIN
from shiftcli.shifts import References

#: Names of the output formats, and the suffixes that choose them.
FORMATS = ("table", "csv", "json", "xyz", "magres")
SUFFIXES = {
    ".txt": "table",
    ".csv": "csv",
    ".json": "json",
    ".xyz": "xyz",
    ".extxyz": "xyz",
    ".magres": "magres",
}

#: Columns of the table and of CSV; the names are Soprano's where it has one.
COLUMNS = (
    "file",
    "name",
    "labels",
    "species",
    "multiplicity",
    "MS_shielding/ppm",
    "MS_shielding_uncertainty/ppm",
    "MS_shielding_uncertainty95/ppm",
    "MS_shift/ppm",
    "flags",
)


@dataclass(frozen=True)
class Results:
    """What one run predicted.

    Attributes
    ----------
    predictor : Predictor
        The networks that were used.
    predictions : sequence of Prediction
        In the order of the input.
    failures : sequence of Failure
        What could not be predicted, and why.
    references : References
        How shieldings become shifts.
    precision : int
        Decimals of every number in ppm.
    """

    predictor: Predictor
    predictions: Sequence[Prediction]
    failures: Sequence[Failure]
    references: References
    precision: int = 2

    def row(self, prediction: Prediction, site: SitePrediction) -> dict[str, Any]:
        """One site as a mapping from `COLUMNS` to values."""
        shift = self.references.shift(site.site.element, site.shielding)
        values = (
            prediction.crystal.source,
            prediction.crystal.name,
            site.site.label,
            site.site.species,
            site.site.multiplicity,
            self._rounded(site.shielding),
            self._rounded(site.uncertainty),
            self._rounded(site.uncertainty95),
            None if shift is None else self._rounded(shift),
            " ".join(site.flags),
        )
        return dict(zip(COLUMNS, values, strict=True))

    def _rounded(self, value: float) -> float | None:
        # Adding 0.0 turns −0.0 into 0.0; JSON knows no NaN.
        return round(value, self.precision) + 0.0 if np.isfinite(value) else None


def choose_format(name: str | None, output: Path | None, formats: Sequence[str] = FORMATS) -> str:
    """Format from ``--format``, else from the output's suffix, else ``table``.

    Parameters
    ----------
    name : str, optional
        What the user asked for.
    output : pathlib.Path, optional
        The output file.
    formats : sequence of str
        Formats that this command writes.

    Returns
    -------
    str
        One of `formats`.

    Raises
    ------
    UsageError
        If the suffix names none of them.
    """
    if name is not None:
        return name
    if output is None:
        return "table"
    found = SUFFIXES.get(output.suffix.lower())
    if found is None or found not in formats:
        raise UsageError(
            f"the suffix of '{output}' names no format", hint=f"--format {'|'.join(formats)}"
        )
    return found


def provenance(predictor: Predictor) -> dict[str, Any]:
    """Program, version, model and hashes of the networks, as every JSON document begins.

    Parameters
    ----------
    predictor : Predictor
        The networks in use.

    Returns
    -------
    dict
    """
    return {
        "program": "shiftcli",
        "version": __version__,
        "model": predictor.model,
        "weights": {f.path.name: f.sha256 for f in predictor.files},
    }


def render(results: Results, form: str) -> str:
    """Write predictions in one of the machine formats.

    Parameters
    ----------
    results : Results
        What was predicted.
    form : {"csv", "json", "xyz", "magres"}
        The format.

    Returns
    -------
    str
        The text of the file.

    Raises
    ------
    UsageError
        If magres is asked for more than one structure.
    """
    return {"csv": _csv, "json": _json, "xyz": _xyz, "magres": _magres}[form](results)


def check_writable(output: Path) -> None:
    """Refuse an output that cannot be written, before the work is done.

    Parameters
    ----------
    output : pathlib.Path
        The file.

    Raises
    ------
    UsageError
        If it is a directory, or its directory is not there.
    """
    if output.is_dir() or not output.resolve().parent.is_dir():
        raise UsageError(f"cannot write '{output}': no such directory, or it is one")


def write_text(text: str, output: Path) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    text : str
        Its contents.
    output : pathlib.Path
        The file; replaced if it is there. A pipe or a device is written to.

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    check_writable(output)
    content = text.encode("utf-8", errors="backslashreplace")
    try:
        if output.exists() and not output.is_file():
            output.write_bytes(content)
            return
        with replacing(output.resolve()) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write '{output}': {error.strerror}") from error


def _csv(results: Results) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for prediction in results.predictions:
        for site in prediction.sites:
            row = results.row(prediction, site)
            writer.writerow({k: _harmless(v) for k, v in row.items()})
    return stream.getvalue()


def _harmless(value: Any) -> Any:
    """Keep text from a file from starting a formula in a spreadsheet."""
    if isinstance(value, str) and value != STDIN and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def _json(results: Results) -> str:
    structures = []
    for prediction in results.predictions:
        crystal = prediction.crystal
        sites = []
        for site in prediction.sites:
            row = results.row(prediction, site)
            sites.append(
                {
                    "labels": row["labels"],
                    "species": row["species"],
                    "multiplicity": row["multiplicity"],
                    "shielding": row["MS_shielding/ppm"],
                    "uncertainty": row["MS_shielding_uncertainty/ppm"],
                    "uncertainty95": row["MS_shielding_uncertainty95/ppm"],
                    "shift": row["MS_shift/ppm"],
                    "flags": list(site.flags),
                }
            )
        structures.append(
            {
                "file": crystal.source,
                "name": crystal.name,
                "formula": crystal.formula,
                "warnings": list(crystal.warnings),
                "sites": sites,
            }
        )
    document = {
        **provenance(results.predictor),
        "units": dict.fromkeys(("shielding", "uncertainty", "uncertainty95", "shift"), "ppm"),
        "intervals": _intervals(results.predictor),
        "structures": structures,
        "failures": [{"file": f.file, "error": str(f.error)} for f in results.failures],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _intervals(predictor: Predictor) -> dict[str, Any]:
    """What the uncertainties mean, and what they rest on for each nucleus."""
    text = "half width of the interval that holds the GIPAW shielding with {} % probability"
    return {
        "uncertainty": text.format(68),
        "uncertainty95": text.format(95),
        "calibration": {
            SPECIES[nucleus]: "validation RMSE, times 1.96 for 95 %" if c is None else c.to_dict()
            for nucleus, c in predictor.calibrations.items()
        },
    }


def _per_atom(results: Results, prediction: Prediction) -> dict[str, np.ndarray]:
    """Arrays over all atoms, NaN (or nothing) where an atom was not predicted."""
    n = len(prediction.crystal)
    numeric = COLUMNS[5:9]
    arrays: dict[str, np.ndarray] = {name: np.full(n, np.nan) for name in numeric}
    for site in prediction.sites:
        row = results.row(prediction, site)
        for name in numeric:
            arrays[name][site.site.atoms] = np.nan if row[name] is None else row[name]
    return {k: v for k, v in arrays.items() if not np.isnan(v).all() or k == COLUMNS[5]}


def _ase_atoms(prediction: Prediction):
    from ase import Atoms

    crystal = prediction.crystal
    periodic = crystal.cell is not None
    return Atoms(
        symbols=crystal.elements.tolist(),
        positions=crystal.positions,
        cell=crystal.cell if periodic else None,
        pbc=periodic,
    )


def _xyz(results: Results) -> str:
    from ase.io.extxyz import write_extxyz

    stream = io.StringIO()
    for prediction in results.predictions:
        atoms = _ase_atoms(prediction)
        crystal = prediction.crystal
        # A blank inside a label would shift the columns behind it.
        labels = ["_".join(label.split()) or "?" for label in crystal.labels]
        atoms.set_array("labels", np.array(labels))
        for name, values in _per_atom(results, prediction).items():
            atoms.set_array(name.removesuffix("/ppm"), values)
        atoms.info.update(name=crystal.name or crystal.source, model=results.predictor.model)
        atoms.info["units"] = "ppm"
        write_extxyz(stream, [atoms])
    return stream.getvalue()


def _magres(results: Results) -> str:
    if not results.predictions:
        return ""  # everything failed, which is reported by itself
    if len(results.predictions) != 1:
        raise UsageError(
            f"a magres file holds one structure, not {len(results.predictions)}",
            hint="predict them one by one, or use --format json",
        )
    from ase.io.magres import write_magres

    prediction = results.predictions[0]
    atoms = _ase_atoms(prediction)
    shielding = _per_atom(results, prediction)[COLUMNS[5]]
    if np.isnan(shielding).any():
        known = np.flatnonzero(~np.isnan(shielding))
        raise UsageError(
            f"a magres file needs the shielding of all {len(atoms)} atoms, "
            f"{len(known)} were predicted",
            hint="leave --nucleus out",
        )
    # The networks know the isotropic part; the tensors written are multiples of the unit.
    atoms.set_array("ms", shielding[:, None, None] * np.eye(3))
    symbols = np.array(atoms.get_chemical_symbols())
    atoms.set_array("labels", symbols)
    counts = {s: np.cumsum(symbols == s) for s in set(symbols.tolist())}
    atoms.set_array("indices", np.array([counts[s][k] for k, s in enumerate(symbols.tolist())]))
    atoms.info["magres_units"] = {"ms": "ppm"}
    stream = io.StringIO()
    write_magres(stream, atoms)
    note = f"# isotropic shieldings only, predicted by shiftcli {__version__}\n"
    head, newline, rest = stream.getvalue().partition("\n")
    return head + newline + note + rest
