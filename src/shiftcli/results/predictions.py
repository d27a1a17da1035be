"""What one run predicted: a table of sites for each structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shiftcli.errors import UsageError, counted
from shiftcli.nmr.shifts import References
from shiftcli.notebook import Tabular
from shiftcli.results.choice import NOTHING, Choice
from shiftcli.results.provenance import Origin, conversion, provenance
from shiftcli.results.tables import Column, Document, Entries, Entry, Table
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.structure.molecules import formula_unit, molecules

if TYPE_CHECKING:
    import numpy as np

    from shiftcli.prediction.predictor import Failure, Prediction, Predictor


def site_columns(precision: int) -> tuple[Column, ...]:
    """Columns of predicted sites; their names in spreadsheets are Soprano's where it has one."""

    ppm = ("ppm", precision)
    return (
        Column("labels"),
        Column("species"),
        Column("multiplicity", "mult."),
        Column("shielding", "σ/ppm", *ppm, name="MS_shielding/ppm"),
        Column("uncertainty", "±68 %", *ppm, name="MS_shielding_uncertainty/ppm"),
        Column("uncertainty95", "±95 %", *ppm, name="MS_shielding_uncertainty95/ppm"),
        Column("shift", "δ/ppm", *ppm, name="MS_shift/ppm"),
        Column("training_crystals", None),
        Column("flags"),
    )


#: Columns of CSV.
COLUMNS = ("file", "name", *(column.label for column in site_columns(2)), "notes")


@dataclass(frozen=True, repr=False)
class Results(Tabular):
    """What one run predicted.

    Attributes
    ----------
    predictor : Predictor or Origin
        The networks that were used.
    predictions : sequence of Prediction
        In the order of the input.
    failures : sequence of Failure
        What could not be predicted, and why.
    references : References
        How shieldings become shifts.
    precision : int
        Decimals of every number in ppm.
    choice : Choice
        Rows and columns that are seen: `chosen` applies the former, `table` the latter.
    """

    predictor: Predictor | Origin
    predictions: Sequence[Prediction]
    failures: Sequence[Failure] = ()
    references: References = field(default_factory=References)
    precision: int = 2
    choice: Choice = field(default_factory=Choice)

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        number = counted(len(self.predictions), "structure")
        return f"<Results of {number} by {self.predictor.model}{failed}>"

    def chosen(self, prediction: Prediction) -> Prediction:
        """The same with the sites that are asked for, in the order that is asked for."""
        own, crystal = self.choice, prediction.crystal
        if not (own.subset or own.query or own.sort):
            return prediction
        numbers: list[int] = []
        if any(word.startswith("mol") for word in own.subset):
            of_atom = {a: k for k, m in enumerate(molecules(crystal), 1) for a in m.atoms.tolist()}
            numbers = [of_atom[int(row.site.atoms[0])] for row in prediction.sites]
        rows = own.rows(self.sites(prediction), numbers)
        if prediction.sites and not rows:
            crystal = replace(crystal, warnings=(*crystal.warnings, NOTHING))
        return replace(prediction, crystal=crystal, sites=tuple(prediction.sites[k] for k in rows))

    def table(self, prediction: Prediction) -> Table:
        """The sites of one structure, and of them the columns that are asked for."""
        chosen = Choice(columns=self.choice.columns).of(self.sites(prediction))
        detail = f"{describe(prediction.crystal)}, model {self.predictor.model}"
        return replace(chosen, title=prediction.crystal.where, detail=detail)

    def sites(self, prediction: Prediction) -> Table:
        """The sites of one structure."""
        rows = [
            (
                row.site.label, row.site.species, row.site.multiplicity, row.shielding,
                row.uncertainty, row.uncertainty95,
                self.references.shift(row.site.element, row.shielding), row.training_crystals,
                row.flags,
            )
            for row in prediction.sites
        ]  # fmt: skip
        atoms = [row.site.atoms.tolist() for row in prediction.sites]
        columns = site_columns(self.precision)
        return Table("sites", columns, rows, atoms=atoms)

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns of CSV, all structures below each other."""
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for entry in self.document().entries:
            heads, rows = entry.flat()
            for row in rows:
                for head, value in zip(heads, row, strict=True):
                    columns[head].append(value)
        return {head: values for head, values in columns.items() if values}

    def document(self) -> Document:
        """All of it, as the views take it."""
        head = {
            **provenance(self.predictor),
            "units": dict.fromkeys(("shielding", "uncertainty", "uncertainty95", "shift"), "ppm"),
            **conversion(self.references),
            "intervals": _intervals(self.predictor),
        }

        def entry(prediction: Prediction) -> Entry:
            return Entry(about(prediction.crystal), (self.table(prediction),))

        return Document(head, Entries(self.predictions, entry), "structures", self.failures)


def about(crystal: Crystal) -> dict[str, Any]:
    """What a document says of a structure."""
    return {
        "file": crystal.source,
        "name": crystal.name,
        "formula": crystal.formula,
        "warnings": crystal.warnings,
    }


def describe(crystal: Crystal) -> str:
    """Sum formula, and how many of it the cell holds."""
    formula, units = formula_unit(crystal)
    return formula if crystal.cell is None else f"{formula}, Z = {units}"


def per_atom(results: Results, prediction: Prediction) -> dict[str, np.ndarray]:
    """Numbers of one of the results' predictions as arrays over the n atoms of the cell.

    In ppm by column of CSV, rounded and turned into shifts as the results say, shape (n,), NaN
    where an atom was not predicted. A column without a number is left out, unless it is that of the
    shieldings.
    """
    import numpy as np

    table = results.sites(prediction)
    arrays = {}
    for column in table.columns:
        if column.unit != "ppm":
            continue
        values = np.full(len(prediction.crystal), np.nan)
        for atoms, value in zip(table.atoms, table.values(column.key), strict=True):
            values[atoms] = np.nan if value is None else value
        if column.key == "shielding" or not np.isnan(values).all():
            arrays[column.label] = values
    return arrays


def flags_of_atoms(prediction: Prediction) -> list[tuple[str, ...]]:
    """Flags of each atom of the cell; empty where there are none."""
    flags: list[tuple[str, ...]] = [()] * len(prediction.crystal)
    for row in prediction.sites:
        for atom in row.site.atoms.tolist():
            flags[atom] = row.flags
    return flags


def only_prediction(results: Results, form: str) -> Prediction | None:
    """The prediction for a format that holds one structure, None where all failed.

    `UsageError` if there are several.
    """
    if len(results.predictions) > 1:
        raise UsageError(
            f"a {form} file holds one structure, not {len(results.predictions)}",
            hint="--output FOLDER takes one file a structure; cif, xyz and json hold several",
        )
    return results.predictions[0] if results.predictions else None


def _intervals(predictor: Predictor | Origin) -> dict[str, Any]:
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
