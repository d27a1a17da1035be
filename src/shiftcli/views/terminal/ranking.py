"""The table of ranked candidates, and what the user should know of it."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from shiftcli.nmr.ranking import CREDIBLE, RMSE_BANDS, Ranking
from shiftcli.pipeline.store import StoredPredictor
from shiftcli.prediction.predictor import Predictor
from shiftcli.views.terminal.common import note

#: Structures whose prediction takes so long that it should not be lost.
_MANY = 100

#: Notes on single structures shown at most; JSON has all.
_MOST_NOTES = 10


def show_start(number: int, work: Path | None) -> None:
    """Advice before a long run."""
    if work is None and number >= _MANY:
        note(f"note: {number} structures; with --work DIR a run that is stopped can go on")


def ranking_table(ranking: Ranking, precision: int) -> Table:
    """Candidates, best first; those that cannot be told apart are marked."""
    title = Text(f"{len(ranking.candidates)} candidates by {ranking.experiment.source}")
    table = Table(title=title, title_justify="left", caption=_caption(ranking))
    table.caption_justify = "left"
    table.add_column("", justify="right")
    table.add_column("candidate", overflow="fold")
    for species in ranking.species:
        for column in (f"{species} RMSE/ppm", f"{species} offset/ppm"):
            table.add_column(column, justify="right")
    table.add_column("n", justify="right")
    table.add_column("family", justify="right")
    table.add_column("probability", justify="right")
    for place, candidate in enumerate(ranking.candidates, 1):
        numbers = [
            f"{values[species]:.{precision}f}"
            for species in ranking.species
            for values in (candidate.rmse, candidate.offset)
        ]
        mark = "*" if candidate.indistinguishable else ""
        table.add_row(
            f"{place}{mark}", Text(candidate.title), *numbers, str(candidate.n),
            str(candidate.family), _percent(candidate.family_probability),
        )  # fmt: skip
    return table


def _percent(probability: float) -> str:
    percent = 100 * probability
    if probability < 1 and percent >= 99.95:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent >= 0.05 else "< 0.1 %"


def _caption(ranking: Ranking) -> Text:
    lines = [
        f"* cannot be told apart: the fewest that hold {100 * CREDIBLE:g} % of the probability"
    ]
    if len({c.family for c in ranking.candidates}) < len(ranking.candidates):
        lines.append(
            "one family: near copies, undecided among themselves; its probability is shown"
        )
    for species, (mean, deviation) in RMSE_BANDS.items():
        if species in ranking.species:
            lines.append(
                f"{species} RMSE of correct structures (GIPAW, Salager 2010): "
                f"{mean} ± {deviation} ppm"
            )
    if ranking.candidates:
        best = ranking.candidates[0].expected_rmse
        expected = ", ".join(f"{species} {value:.2f}" for species, value in best.items())
        lines.append(f"RMSE that the errors of prediction and measurement lead to: {expected} ppm")
    return Text("\n".join(lines))


def show_notes(ranking: Ranking, predictor: Predictor) -> None:
    """What was taken from earlier, warnings of the structures, and the failures, on stderr."""
    if isinstance(predictor, StoredPredictor) and predictor.taken:
        note(f"note: shieldings of {predictor.taken} structures taken from {predictor.path}")
    warnings = [(c.title, text) for c in ranking.candidates for text in c.warnings]
    for title, text in warnings[:_MOST_NOTES]:
        note(f"note: {title}: {text}")
    if len(warnings) > _MOST_NOTES:
        note(f"note: {len(warnings) - _MOST_NOTES} more notes on structures; --format json has all")
    for text in ranking.notes:
        note(f"note: {text}")
    for failure in ranking.failures:
        note(f"failed: {failure.error}")
    if ranking.failures:
        note(f"{len(ranking.candidates)} candidates ranked, {len(ranking.failures)} failed")
