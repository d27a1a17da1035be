"""What `shiftcli benchmark` and `shiftcli reproduce` found, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shiftcli.results.statistics import ALL
from shiftcli.results.tables import Column, Table

if TYPE_CHECKING:
    from shiftcli.benchmark.accuracy import Accuracy
    from shiftcli.benchmark.baseline import Baseline
    from shiftcli.benchmark.compare import Comparison
    from shiftcli.benchmark.endtoend import EndToEnd
    from shiftcli.benchmark.paper import Result
    from shiftcli.benchmark.speed import Speed
    from shiftcli.results.statistics import Errors
    from shiftcli.training.refits import Refit


#: What the columns of errors are.
_NOTE = "errors in ppm, in brackets 95 % intervals"


def _ppm(value: float | None) -> str:
    """A figure in ppm, four digits or so."""
    return "" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _error(key: str, title: str) -> tuple[Column, Column]:
    """An error in ppm, and its 95 % interval behind it."""

    def ends(interval: tuple[float, float] | None) -> str:
        if interval is None:
            return ""
        decimals = 2 if max(map(abs, interval)) < 10 else 1
        low, high = (f"{end:.{decimals}f}" for end in interval)
        return f"({low} to {high})" if "-" in low + high else f"({low}–{high})"

    spread = f"{key}_interval"
    return Column(key, title, spread=spread, show=_ppm), Column(spread, show=ends)


def _share(key: str, title: str) -> Column:
    return Column(key, title, show=lambda value: "" if value is None else f"{value:.1%}")


def accuracy_tables(accuracy: Accuracy, classes: bool = False) -> list[Table]:
    """Errors per nucleus, and if asked for by kind of environment."""
    if accuracy.parts:
        return [table for part in accuracy.parts for table in accuracy_tables(part, classes)]
    title = f"{accuracy.crystals} crystals ({accuracy.split}) of {accuracy.source}"
    told = {None: "", 0: ", none of which the networks have learned from"}
    title += told.get(accuracy.seen, f", {accuracy.seen} of which the networks have learned from")
    tables = [_errors_table("accuracy", title, "nucleus", accuracy.nuclei, _NOTE)]
    if classes:
        tables += [
            _errors_table(species, species, "environment", errors.classes)
            for species, errors in accuracy.nuclei.items()
        ]
    return tables


def refit_tables(refit: Refit) -> list[Table]:
    """Out-of-fold errors of each file of the data and of all together, these by kind, too."""
    tables = []
    for file, errors in refit.errors.items():
        title = f"{'all data' if file == ALL else file}, out of fold"
        tables.append(_errors_table(file, title, "nucleus", errors, _NOTE))
    for species, own in refit.errors[ALL].items():
        tables.append(_errors_table(species, species, "environment", own.classes))
    return tables


def _errors_table(
    key: str, title: str, first: str, rows: Mapping[str, Errors], *notes: str
) -> Table:
    columns = (
        Column(first), Column("n", "atoms"), Column("distinct"), *_error("rmse", "RMSE"),
        *_error("mae", "MAE"), Column("bias", show=_ppm), Column("r2", "R²", decimals=4),
        Column("p95", "95 % below", show=_ppm), Column("baseline", "baseline RMSE", show=_ppm),
        *_error("difference", "less baseline"), _share("coverage68", "in 68 %"),
        _share("coverage95", "in 95 %"),
    )  # fmt: skip
    values = [
        (
            name, e.n, e.distinct, e.rmse, e.rmse_interval, e.mae, e.mae_interval, e.bias, e.r2,
            e.p95, e.baseline_rmse, e.baseline and e.baseline.difference,
            e.baseline and e.baseline.difference_interval, e.coverage68, e.coverage95,
        )
        for name, e in rows.items()
    ]  # fmt: skip
    return Table(key, columns, values, title, notes=notes)


def baseline_tables(baseline: Baseline) -> list[Table]:
    """Ours beside SOAP-KRR and the prediction in the data; the learning curve and its times."""
    margins, curve = [], []
    for species, nucleus in baseline.nuclei.items():
        last, ours = nucleus.curve[-1], nucleus.ours
        margins.append((
            species, last.crystals, ours.rmse, ours.rmse_interval, last.errors.rmse,
            last.errors.rmse_interval, ours.baseline_rmse,
            last.margin and last.margin.difference, last.margin and last.margin.difference_interval,
            ours.baseline and ours.baseline.difference,
            ours.baseline and ours.baseline.difference_interval,
        ))  # fmt: skip
        for p in nucleus.curve:
            times = p.seconds
            curve.append((
                species, p.crystals, p.samples, p.errors.rmse, p.errors.rmse_interval,
                p.errors.mae, " + ".join(f"{c:g}" for c in p.chosen.cutoffs), p.chosen.zeta,
                f"{p.chosen.regularisation:g}", times.descriptors, times.selection,
                times.training, times.prediction, ours.rmse, nucleus.ours_seconds,
            ))  # fmt: skip
    seconds = ("SOAP", "choice", "training", "prediction")
    return [
        Table(
            "margins",
            (
                Column("nucleus"), Column("crystals"), *_error("ours", "ours"),
                *_error("krr", "SOAP-KRR"), Column("baseline", "in the data", show=_ppm),
                *_error("margin", "ours − SOAP-KRR"), *_error("difference", "ours − in the data"),
            ),
            margins,
            f"{baseline.validation_crystals} validation crystals of {baseline.source}",
            notes=("RMSE in ppm, in brackets 95 % intervals",),
        ),
        Table(
            "curve",
            (
                Column("nucleus"), Column("crystals"), Column("samples"), *_error("rmse", "RMSE"),
                Column("mae", "MAE", show=_ppm), Column("cutoffs", "cut-offs/Å"), Column("ζ"),
                Column("λ"), *(Column(part, unit="s", decimals=1) for part in seconds),
                Column("ours", "our RMSE", show=_ppm),
                Column("ours_seconds", "our prediction", "s", 1),
            ),
            curve,
            "SOAP-KRR by training crystals, and our prediction of the same atoms; times in s",
        ),
    ]  # fmt: skip


def speed_table(speed: Speed) -> Table:
    """Throughput of the parts."""
    low, high = speed.voxelizations_spread
    rows = [
        (f"voxelizer ({low:.0f} to {high:.0f})", f"{speed.voxelizations:.0f}"),
        ("the authors' dense formulation, on the CPU", f"{speed.dense_voxelizations:.2f}"),
        ("ratio of the two", f"{speed.ratio:.0f}"),
    ]
    for size, rate in speed.predictions_by_batch.items():
        rows.append((f"network, one orientation, {size} at once", f"{rate:.0f}"))
    limit = f"{speed.bandwidth / 1e9:.1f} GB/s"
    rows.append((f"densities written, of {limit}", f"{speed.bandwidth_fraction:.1%}"))
    rows.append(("million operations a voxelization", f"{speed.operations / 1e6:.1f}"))
    rows.append(("kilobytes that it writes", f"{speed.bytes_written / 1e3:.0f}"))
    title = f"{speed.environments} oriented environments on {speed.device}, {speed.dtype}"
    return Table("speed", (Column("part"), _figure("rate", "per second")), rows, title)


def _figure(key: str, title: str) -> Column:
    """A column of numbers that are written out already."""
    return Column(key, title, decimals=0, show=str)


def end_to_end_table(times: EndToEnd) -> Table:
    """Seconds from a structure to its shieldings."""
    what = f"{times.crystal}, {times.distinct} distinct atoms"
    low, high = times.warm_spread
    rows = [
        (f"{what}, a fresh process", f"{times.cold:.2f}", ""),
        (f"{what}, networks loaded ({low:.2f} to {high:.2f})", f"{times.warm:.2f}", ""),
        ("one of a batch of crystals", f"{1 / times.batch:.2f}", ""),
    ]
    for atoms, sites, seconds in zip(times.atoms, times.sites, times.seconds, strict=True):
        per_atom = f"{1000 * seconds / atoms:.2f}"
        rows.append((f"{atoms} atoms, {sites} predicted", f"{seconds:.2f}", per_atom))
    if times.exponent is not None:
        rows.append(("time grows as atoms to the power", f"{times.exponent:.2f}", ""))
    rows.append(("largest memory/GB", f"{times.peak_memory:.2f}", ""))
    rows.append(("core hours for a thousand such crystals", f"{times.core_hours:.3f}", ""))
    if times.kilowatt_hours is not None:
        rows.append(("kWh for them", f"{times.kilowatt_hours:.4f}", ""))
    columns = (Column("what"), _figure("time", "time/s"), _figure("per_atom", "ms an atom"))
    return Table("end_to_end", columns, rows, "from structure to shieldings")


def steps_table(times: EndToEnd) -> Table:
    """Seconds of each step, cold and warm."""
    rows = [
        (name, f"{cold:.3f}", "" if warm is None else f"{warm:.3f}")
        for name, (cold, warm) in times.steps.items()
    ]
    columns = (Column("step"), _figure("cold", "first/s"), _figure("warm", "again/s"))
    return Table("steps", columns, rows, f"{times.crystal} in a fresh process, step by step")


def reproduction_table(result: Result) -> Table:
    """A table of the paper, or the numbers behind a figure, beside the paper's."""

    def plain(value: Any) -> str:
        if value is None:
            return ""
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    # "paper" may stand above several columns, so their places are the keys.
    columns = [Column(str(k), name, name=name, show=plain) for k, name in enumerate(result.columns)]
    return Table(result.name, columns, result.rows, result.title, notes=result.differs)


def comparison_table(comparison: Comparison, classes: bool = False) -> Table:
    """Old, new and change of every figure; those of kinds of environments if asked for."""
    rows = [
        (" ".join(change.name), change.old, change.new, change.change, change.relative)
        for change in comparison.changes
        if classes or "classes" not in change.name
    ]
    columns = (
        Column("figure"), Column("old", digits=4), Column("new", digits=4),
        Column("change", digits=3, signed=True),
        Column("relative", show=lambda value: "" if value is None else f"{value:+.1%}"),
    )  # fmt: skip
    return Table("comparison", columns, rows, f"beside {comparison.source}")
