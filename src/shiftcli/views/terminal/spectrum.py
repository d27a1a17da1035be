"""Tables of peaks, and what the user should know of a spectrum."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from shiftcli.nmr.spectrum import Axis, Correlation, Peak, Spectrum
from shiftcli.views.terminal.common import note


def peak_tables(spectra: Sequence[Spectrum], precision: int) -> list[Table]:
    """One table a structure, its nuclei below each other."""
    pages: dict[int, Table] = {}
    has_shift = any(spectrum.axis.quantity != "shielding" for spectrum in spectra)
    has_field = any(spectrum.axis.quantity == "frequency" for spectrum in spectra)
    columns = ["multiplicity", "MS_shielding/ppm", "MS_shielding_uncertainty/ppm"]
    columns += ["MS_shift/ppm"] * has_shift + ["frequency/Hz"] * has_field
    for spectrum in spectra:
        key = id(spectrum.crystal)
        if key not in pages:
            title = Text(f"{spectrum.crystal.where}  {spectrum.crystal.formula}")
            pages[key] = Table("labels", "species", title=title, title_justify="left")
            for column in columns:
                pages[key].add_column(column, justify="right")
        falling = reversed(spectrum.peaks) if spectrum.axis.falls else spectrum.peaks
        for peak in falling:
            row = peak.row
            numbers: list[float | None] = [row.shielding, row.uncertainty]
            if has_shift:
                numbers.append(_shift(spectrum.axis, peak))
            cells = [f"{number:.{precision}f}" if number is not None else "" for number in numbers]
            if has_field:
                cells.append(f"{peak.position:.1f}")
            site = row.site
            pages[key].add_row(Text(site.label), site.species, str(site.multiplicity), *cells)
    return list(pages.values())


def cross_peak_tables(spectra: Sequence[Correlation], precision: int) -> list[Table]:
    """One table a structure."""
    pages = []
    for spectrum in spectra:
        title = Text(f"{spectrum.crystal.where}  {spectrum.crystal.formula}")
        table = Table(title=title, title_justify="left")
        for axis in spectrum.axes:
            table.add_column(f"{axis.species} labels")
        for axis in spectrum.axes:
            table.add_column(f"{axis.species} {axis.column}", justify="right")
        table.add_column("multiplicity", justify="right")
        for peak in spectrum.peaks:
            own = (peak.first, peak.second)
            table.add_row(
                *(Text(p.label) for p in own),
                *(
                    f"{p.position:.{1 if axis.quantity == 'frequency' else precision}f}"
                    for p, axis in zip(own, spectrum.axes, strict=True)
                ),
                str(peak.multiplicity),
            )
        pages.append(table)
    return pages


def show_axis_notes(spectra: Sequence[Spectrum | Correlation]) -> None:
    """What the axes are where nobody asked for it, and what they leave out, on stderr."""
    axes: dict[str, Axis] = {}
    for spectrum in spectra:
        own = spectrum.axes if isinstance(spectrum, Correlation) else (spectrum.axis,)
        axes |= {axis.species: axis for axis in own}
    bare = [axis for axis in axes.values() if axis.quantity == "shielding"]
    if bare:
        species = ", ".join(axis.species for axis in bare)
        elements = ",".join(f"{axis.element}:VALUE" for axis in bare)
        note(f"note: axis of shieldings for {species} (--references {elements} makes it shifts)")
    for spectrum in spectra:
        if spectrum.left_out:
            note(f"note: {spectrum.crystal.where}: {spectrum.left_out} peaks are out of range")


def _shift(axis: Axis, peak: Peak) -> float | None:
    return axis.references.shift(axis.element, peak.row.shielding)
