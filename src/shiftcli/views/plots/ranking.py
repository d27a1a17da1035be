"""The lollipop diagram of a ranking: the RMSE of each candidate, nucleus by nucleus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.errors import UsageError
from shiftcli.nmr.gathering import Candidate
from shiftcli.nmr.ranking import RMSE_BANDS, Ranking
from shiftcli.nmr.spectrum import distinct_names
from shiftcli.results.look import Look
from shiftcli.results.rankings import percent
from shiftcli.views.labels import nuclide
from shiftcli.views.plots.figure import label_room, picture, plain, told_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Candidates drawn at most; names of more could not be read.
LARGEST = 40

#: Height in mm of a candidate's row, and of all that is around the rows.
_ROW, _AROUND = 6.0, 35.0

#: Width in mm of a panel at least, where there are several, and of a number below it.
_PANEL, _TICK = 20.0, 9.0

#: Names take this part of the width at most; their end is what tells files apart.
_NAMES = 0.35


def plot_ranking(ranking: Ranking, output: Path | None = None, look: Look | None = None) -> Figure:
    """Draw the RMSE of the best candidates as lollipops, a panel for each nucleus.

    The first `LARGEST` candidates are drawn, the best on top, with the probabilities of their
    families (″ for a further member of one). Those that cannot be told apart are filled, the others
    hollow. The band is that of correct structures (`shiftcli.nmr.ranking.RMSE_BANDS`). Panels stand
    below each other where there is no room beside. Raises as `picture`, and `UsageError` if there
    is nothing to draw.
    """
    drawn = ranking.candidates[:LARGEST]
    if not drawn:
        raise UsageError("no candidate could be ranked, so there is nothing to draw")
    count = len(ranking.species)
    size = (min(60.0 + 60.0 * count, 180.0), _AROUND + _ROW * len(drawn))
    width = look.size[0] if look is not None and look.size else size[0]
    columns = min(count, max(1, int((1 - _NAMES) * width / _PANEL)))
    all_of = f"best {len(drawn)} of {len(ranking.candidates)} candidates"
    title = all_of if len(drawn) < len(ranking.candidates) else ""
    shown = picture(
        output, look, rows=-(-count // columns), columns=columns, size=size, scaled=False,
        title=title,
    )  # fmt: skip
    with shown as (figure, axes):
        for panel in axes[count:]:
            panel.remove()
        names = distinct_names([(candidate.file, candidate.name) for candidate in drawn])
        longest = max(12, int(2 * _NAMES / label_room(figure)[0]))
        names = [plain(name) for name in told_apart(names, longest)]
        for k, species in enumerate(ranking.species):
            _draw(axes[k], drawn, species, (1 - _NAMES) * width / columns)
            if k % columns == 0:
                axes[k].set_yticks(range(len(drawn)), names, fontsize="small")
            if k % columns == columns - 1 or k == count - 1:
                _name_probabilities(axes[k], drawn)
        grey = (
            " (grey: that of correct structures)" if set(ranking.species) & set(RMSE_BANDS) else ""
        )
        figure.supxlabel(f"RMSE/ppm{grey}", fontsize="medium")
    return figure


def _name_probabilities(panel: Axes, drawn: tuple[Candidate, ...]) -> None:
    """Probabilities of the families, as the table has them."""
    right = panel.secondary_yaxis("right")
    firsts = {c.family: k for k, c in reversed(list(enumerate(drawn)))}
    texts = [
        percent(c.family_probability) if firsts[c.family] == k else "″" for k, c in enumerate(drawn)
    ]
    right.set_yticks(range(len(drawn)), texts, fontsize="small")
    right.tick_params(length=0)


def _draw(panel: Axes, drawn: tuple[Candidate, ...], species: str, width: float) -> None:
    """The lollipops of one nucleus in a panel of so many mm."""
    rows = range(len(drawn))
    below = nuclide(species)
    values = [candidate.rmse[species] for candidate in drawn]
    if species in RMSE_BANDS:
        mean, deviation = RMSE_BANDS[species]
        panel.axvspan(mean - deviation, mean + deviation, color="0.88", zorder=0)
        panel.axvline(mean, color="0.6", linewidth=0.8, linestyle="--", zorder=1)
        below += f"\n{mean} ± {deviation}"
    panel.hlines(rows, 0, values, color="C0", linewidth=1.2)
    fills = ["C0" if candidate.indistinguishable else "white" for candidate in drawn]
    panel.scatter(values, rows, s=36, c=fills, edgecolors="C0", zorder=3)
    panel.set_xlim(0, 1.08 * max(*values, 0.6 if species in RMSE_BANDS else 1e-3))
    panel.set_ylim(len(drawn) - 0.5, -0.5)
    panel.set_yticks(rows, [""] * len(drawn))
    panel.tick_params(axis="x", labelsize="small")
    panel.locator_params(axis="x", nbins=max(2, int(width / _TICK)))
    panel.set_xlabel(below)
