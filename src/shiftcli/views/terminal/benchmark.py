"""Tables of `shiftcli benchmark`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from shiftcli.benchmark import Accuracy, Baseline, Comparison, Errors, Speed, Versus
    from shiftcli.benchmark.endtoend import EndToEnd
    from shiftcli.benchmark.paper import Result
    from shiftcli.results.statistics import Interval

#: Columns of words in the paper's tables; the others are numbers.
_WORDS = frozenset(("nucleus", "augmentation", "model", "component", "bond"))


def _table(title: str, left: Iterable[str], right: Iterable[str]) -> Table:
    """An empty table whose first columns are words and whose others are numbers."""
    table = Table(title=Text(title), title_justify="left")
    for column in left:
        table.add_column(column)
    for column in right:
        table.add_column(column, justify="right")
    return table


def _ppm(value: float | None) -> str:
    """A figure in ppm, four digits or so."""
    return "" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _with_interval(value: float, interval: Interval | None, between: str = "–") -> str:
    """A figure in ppm and its 95 % interval."""
    if interval is None:
        return _ppm(value)
    decimals = 2 if max(map(abs, interval)) < 10 else 1
    low, high = (f"{end:.{decimals}f}" for end in interval)
    return f"{_ppm(value)} ({low}{between}{high})"


def _difference(versus: Versus | None) -> str:
    if versus is None:
        return ""
    return _with_interval(versus.difference, versus.difference_interval, " to ")


def accuracy_tables(accuracy: Accuracy, classes: bool = False) -> list[Table]:
    """Errors per nucleus, and if asked for by kind of environment."""
    title = (
        f"{accuracy.crystals} crystals ({accuracy.split}) of {accuracy.source}, errors in ppm "
        "(in brackets 95 % intervals)"
    )
    tables = [_errors_table(title, "nucleus", accuracy.nuclei)]
    if classes:
        tables += [
            _errors_table(species, "environment", errors.classes)
            for species, errors in accuracy.nuclei.items()
        ]
    return tables


def _errors_table(title: str, first: str, rows: dict[str, Errors]) -> Table:
    columns = (
        "atoms", "RMSE", "MAE", "bias", "R²", "95 %\nbelow", "baseline\nRMSE",
        "RMSE less\nthe baseline's", "in 68 %\ninterval", "in 95 %\ninterval",
    )  # fmt: skip
    table = _table(title, (first,), columns)
    for name, e in rows.items():
        table.add_row(
            name, str(e.n), _with_interval(e.rmse, e.rmse_interval),
            _with_interval(e.mae, e.mae_interval), _ppm(e.bias),
            "" if e.r2 is None else f"{e.r2:.4f}", _ppm(e.p95), _ppm(e.baseline_rmse),
            _difference(e.baseline),
            *("" if c is None else f"{c:.1%}" for c in (e.coverage68, e.coverage95)),
        )  # fmt: skip
    return table


def baseline_tables(baseline: Baseline) -> list[Table]:
    """Ours beside SOAP-KRR and the prediction in the data; the learning curve and its times."""
    title = (
        f"{baseline.validation_crystals} validation crystals of {baseline.source}, RMSE in ppm "
        "(in brackets 95 % intervals)"
    )
    columns = (
        "ours", "SOAP-KRR", "baseline\nin the data", "ours − SOAP-KRR", "ours − baseline",
    )  # fmt: skip
    margins = _table(title, ("nucleus", "training\ncrystals"), columns)
    curve = _table(
        "SOAP-KRR by training crystals, and our prediction of the same atoms; times in s",
        ("nucleus",),
        (
            "crystals", "samples", "RMSE", "MAE", "cut-offs/Å", "ζ", "λ", "SOAP", "choice",
            "training", "prediction", "our RMSE", "our\nprediction",
        ),
    )  # fmt: skip
    for species, nucleus in baseline.nuclei.items():
        last, ours = nucleus.curve[-1], nucleus.ours
        margins.add_row(
            species, str(last.crystals), _with_interval(ours.rmse, ours.rmse_interval),
            _with_interval(last.errors.rmse, last.errors.rmse_interval),
            _ppm(ours.baseline_rmse), _difference(last.margin), _difference(ours.baseline),
        )  # fmt: skip
        for p in nucleus.curve:
            seconds, chosen = p.seconds, p.chosen
            times = (seconds.descriptors, seconds.selection, seconds.training, seconds.prediction)
            curve.add_row(
                species, str(p.crystals), str(p.samples),
                _with_interval(p.errors.rmse, p.errors.rmse_interval), _ppm(p.errors.mae),
                " + ".join(f"{c:g}" for c in chosen.cutoffs), str(chosen.zeta),
                f"{chosen.regularisation:g}", *(f"{t:.1f}" for t in times), _ppm(ours.rmse),
                f"{nucleus.ours_seconds:.1f}",
            )  # fmt: skip
    return [margins, curve]


def speed_table(speed: Speed) -> Table:
    """Throughput of the parts."""
    title = f"{speed.environments} oriented environments on {speed.device}, {speed.dtype}"
    table = _table(title, ("part",), ("per second",))
    low, high = speed.voxelizations_spread
    table.add_row(f"voxelizer ({low:.0f} to {high:.0f})", f"{speed.voxelizations:.0f}")
    table.add_row("the authors' dense formulation, on the CPU", f"{speed.dense_voxelizations:.2f}")
    table.add_row("ratio of the two", f"{speed.ratio:.0f}")
    for size, rate in speed.predictions_by_batch.items():
        table.add_row(f"network, one orientation, {size} at once", f"{rate:.0f}")
    limit = f"{speed.bandwidth / 1e9:.1f} GB/s"
    table.add_row(f"densities written, of {limit}", f"{speed.bandwidth_fraction:.1%}")
    return table


def end_to_end_table(times: EndToEnd) -> Table:
    """Seconds from a structure to its shieldings."""
    table = _table("from structure to shieldings", ("what",), ("time/s", "ms an atom"))
    what = f"{times.crystal}, {times.distinct} distinct atoms"
    low, high = times.warm_spread
    table.add_row(f"{what}, a fresh process", f"{times.cold:.2f}", "")
    table.add_row(f"{what}, networks loaded ({low:.2f} to {high:.2f})", f"{times.warm:.2f}", "")
    table.add_row("one of a batch of crystals", f"{1 / times.batch:.2f}", "")
    for atoms, sites, seconds in zip(times.atoms, times.sites, times.seconds, strict=True):
        per_atom = f"{1000 * seconds / atoms:.2f}"
        table.add_row(f"{atoms} atoms, {sites} predicted", f"{seconds:.2f}", per_atom)
    if times.exponent is not None:
        table.add_row("time grows as atoms to the power", f"{times.exponent:.2f}", "")
    table.add_row("largest memory/GB", f"{times.peak_memory:.2f}", "")
    return table


def reproduction_table(result: Result) -> Table:
    """A table of the paper, or the numbers behind a figure, beside the paper's."""
    table = Table(title=Text(result.title), title_justify="left")
    for column in result.columns:
        table.add_column(Text(column), justify="left" if column in _WORDS else "right")
    for row in result.rows:
        table.add_row(*(Text(_plain(value)) for value in row))
    if result.differs:
        table.caption = Text("; ".join(result.differs))
        table.caption_justify = "left"
    return table


def _plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def comparison_table(comparison: Comparison, classes: bool = False) -> Table:
    """Old, new and change of every figure; those of kinds of environments if asked for."""
    table = _table(
        f"beside {comparison.source}", ("figure",), ("old", "new", "change", "relative change")
    )
    for change in comparison.changes:
        if "classes" in change.name and not classes:
            continue
        relative = "" if change.relative is None else f"{change.relative:+.1%}"
        numbers = (f"{change.old:.4g}", f"{change.new:.4g}", f"{change.change:+.3g}")
        table.add_row(Text(" ".join(change.name)), *numbers, relative)
    return table
