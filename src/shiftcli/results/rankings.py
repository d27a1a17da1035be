"""A ranking of candidates as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.nmr.gathering import Candidate
from shiftcli.nmr.ranking import CREDIBLE, RMSE_BANDS, Ranking
from shiftcli.results.provenance import provenance
from shiftcli.results.tables import Column, Document, Entry, Table

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Predictor

#: Further measurements that are listed.
_NEXT = 10

#: Significant digits of a probability.
_DIGITS = 4


def ranking_document(ranking: Ranking, predictor: Predictor, precision: int = 3) -> Document:
    """A ranking as the views take it, candidates best first; `precision` are decimals of ppm."""
    elements = dict.fromkeys((p.species, p.element) for p in ranking.experiment.peaks)
    head = {
        **provenance(predictor),
        "experiment": ranking.experiment.source,
        "units": dict.fromkeys(("rmse", "expected_rmse", "offset"), "ppm"),
        "probability_model": {
            "text": ranking.model,
            "theory_errors": {s: ranking.theory_errors.get(e, 0.0) for s, e in elements},
            "credible": CREDIBLE,
        },
        "rmse_bands": {
            species: {"mean": band[0], "deviation": band[1], "source": "Salager 2010"}
            for species, band in RMSE_BANDS.items()
            if species in ranking.species
        },
        "notes": ranking.notes,
        "next_measurements": [
            {
                "species": one.species,
                "sites": one.sites,
                "gain": round(one.gain, 3),
                "open": round(one.open, 3),
                "unit": "bit",
            }
            for one in ranking.next[:_NEXT]
        ],
    }
    return Document(head, [Entry({}, (ranking_table(ranking, precision),))], "", ranking.failures)


def ranking_columns(
    species: Sequence[str], precision: int, *, beside: bool = False
) -> tuple[Column, ...]:
    """Columns of candidates, `beside` them of a ranking by the shieldings in the files."""
    ppm = ("ppm", precision)
    columns = [
        Column("rank", "rank"),
        Column("indistinguishable", " ", show=lambda same: "*" if same else ""),
        Column("file", None),
        Column("name", None),
        Column("candidate", ""),
        Column("formula", None),
        Column("family"),
        Column("probability", None, digits=_DIGITS),
        Column("family_probability", "prob.", digits=_DIGITS, show=percent),
        Column("n"),
    ]
    for own in species:
        columns += [
            Column(f"rmse.{own}", f"{own} RMSE", *ppm, name=f"{own} RMSE/ppm"),
            Column(f"expected_rmse.{own}", None, *ppm, name=f"{own} expected RMSE/ppm"),
            Column(
                f"offset.{own}", None if beside else f"{own} offset", *ppm,
                name=f"{own} offset/ppm",
            ),
            Column(f"peaks.{own}", None, name=f"{own} peaks"),
        ]  # fmt: skip
    columns += [
        Column("log_likelihood", None, decimals=precision),
        Column("log_likelihood_error", None, decimals=precision),
        Column("warnings", None),
    ]
    return (*columns, *(_file_columns(species, precision) if beside else ()))


def ranking_table(ranking: Ranking, precision: int) -> Table:
    """Candidates, best first; those that cannot be told apart are marked."""
    columns = ranking_columns(ranking.species, precision, beside=ranking.stated is not None)
    beside = {(c.file, c.name): c for c in ranking.stated.candidates} if ranking.stated else {}
    rows = []
    for place, c in enumerate(ranking.candidates, 1):
        numbers = [
            values[species]
            for species in ranking.species
            for values in (c.rmse, c.expected_rmse, c.offset, c.peaks)
        ]
        rows.append((
            place, c.indistinguishable, c.file, c.name, c.title, c.formula, c.family, c.probability,
            c.family_probability, c.n,
            *numbers, c.log_likelihood, c.log_likelihood_error, c.warnings,
            *(_of_file(beside.get((c.file, c.name)), ranking.species) if ranking.stated else ()),
        ))  # fmt: skip
    plural = "s" * (len(rows) != 1)
    title = f"{len(rows)} candidate{plural} by {ranking.experiment.source}"
    explained, line = _explained(ranking), _next_line(ranking)
    return Table(
        "candidates", columns, rows, title, notes=(line,) * bool(line), explained=explained
    )


def _file_columns(species: Sequence[str], precision: int) -> list[Column]:
    """Columns of a ranking by the shieldings in the files."""
    return [
        Column("file_probability", None, digits=_DIGITS),
        Column(
            "file_family_probability", "prob. file", digits=_DIGITS,
            show=lambda p: "" if p is None else percent(p),
        ),
        *(
            Column(f"file_rmse.{s}", f"{s} RMSE file", "ppm", precision, name=f"{s} RMSE file/ppm")
            for s in species
        ),
    ]  # fmt: skip


def _of_file(candidate: Candidate | None, species: tuple[str, ...]) -> tuple[float | None, ...]:
    if candidate is None:
        return (None,) * (2 + len(species))
    rmse = (candidate.rmse[s] for s in species)
    return candidate.probability, candidate.family_probability, *rmse


def short_title(candidate: Candidate) -> str:
    """The name of a candidate, or that of its file."""
    return candidate.name or Path(candidate.file).name or "structure"


def deciding_table(ranking: Ranking, precision: int) -> Table | None:
    """Which peaks decide between the first two families, those that decide most first.

    None where there is one family only. A peak's weight is the difference of ln L that it makes
    by itself, offsets and the scale of the errors being as they were fitted.
    """
    first = ranking.candidates[0]
    other = next((c for c in ranking.candidates if c.family != first.family), None)
    if other is None:
        return None
    ppm = ("ppm", precision)
    columns = (
        Column("measured", "measured", *ppm),
        Column("species"),
        Column("first", "site in first"),
        Column("first_difference", "Δ first/ppm", *ppm, signed=True),
        Column("second", "site in second"),
        Column("second_difference", "Δ second/ppm", *ppm, signed=True),
        Column("weight", "for the first", decimals=2, signed=True),
    )
    rows = []
    # The peaks of a ranking are the same, in one order, for all candidates.
    for one, two in zip(first.comparison.rows, other.comparison.rows, strict=True):
        if not (one.sigma and two.sigma):  # the offset was fitted to it alone
            continue
        errors = [math.log(row.sigma) + (row.difference / row.sigma) ** 2 / 2 for row in (one, two)]
        rows.append((
            one.measured, one.species, one.site, one.difference, two.site, two.difference,
            errors[1] - errors[0],
        ))  # fmt: skip
    rows.sort(key=lambda row: -abs(row[-1]))
    title = f"Peaks that decide between {short_title(first)} and {short_title(other)}"
    notes = (
        "for the first: ln of how much likelier the peak alone makes it; Δ predicted − measured",
    )
    return Table("deciding", columns, rows, title, notes=notes)


def next_table(ranking: Ranking) -> Table | None:
    """What could be measured next, best first; None where nothing would tell families apart."""
    if not ranking.next:
        return None
    columns = (
        Column("species"), Column("sites", "site in first"), Column("gain", "gain/bit", decimals=2)
    )  # fmt: skip
    rows = [(one.species, " ".join(one.sites), one.gain) for one in ranking.next[:_NEXT]]
    note = f"expected gain, of the {ranking.next[0].open:.2f} bits that are open between families"
    return Table("next", columns, rows, "What to measure next", notes=(note,))


def percent(probability: float) -> str:
    """A probability as people see it, never rounded to certainty."""
    of_100 = 100 * probability
    if probability < 1 and of_100 >= 99.95:
        return "> 99.9 %"
    return f"{of_100:.1f} %" if of_100 >= 0.05 else "< 0.1 %"


def _next_line(ranking: Ranking) -> str:
    """What to measure next, in a line; empty where nothing would tell the families left apart."""
    if not ranking.next:
        return ""
    one = ranking.next[0]
    what = one.sites[0] if len(one.sites) == 1 else f"all {len(one.sites)} sites"
    return (
        f"to measure next: {one.species} of {what}, expected to tell {one.gain:.1f} of the "
        f"{one.open:.1f} bits that are open between families"
    )


def _explained(ranking: Ranking) -> dict[str, str]:
    """Lines below a ranking, by the columns that they explain."""
    lines = {
        "indistinguishable": "* cannot be told apart: the fewest that hold "
        f"{100 * CREDIBLE:g} % of the probability"
    }
    if len({c.family for c in ranking.candidates}) < len(ranking.candidates):
        lines["family_probability"] = (
            "one family: near copies, undecided among themselves; its probability is shown"
        )
    if ranking.stated is not None:
        lines["file_family_probability"] = (
            "file: by the shieldings in the files, whose one error is that of GIPAW"
        )
    expected = ranking.candidates[0].expected_rmse if ranking.candidates else {}
    for species, value in expected.items():
        line = f"{species} RMSE that errors of prediction and measurement lead to: {value:.2f} ppm"
        if species in RMSE_BANDS:
            mean, deviation = RMSE_BANDS[species]
            line += f"; of correct structures (GIPAW, Salager 2010): {mean} ± {deviation} ppm"
        lines[f"rmse.{species}"] = line
    return lines
