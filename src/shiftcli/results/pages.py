"""Pages to send of predictions, comparisons, rankings and spectra."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli import __version__
from shiftcli.errors import ShiftcliError
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average, known_rows
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.shifts import References
from shiftcli.nmr.spectrum import (
    Correlation,
    Settings,
    Spectrum,
    elements_of,
    simulate_spectra,
)
from shiftcli.results.citations import PROGRAMS, Citations
from shiftcli.results.comparisons import Comparisons, comparison_tables
from shiftcli.results.lanes import (
    MOST_LANES,
    candidate_lanes,
    fitted_settings,
    over_measured,
    structure_lanes,
    wide_spectrum,
)
from shiftcli.results.predictions import Results, describe
from shiftcli.results.provenance import Origin, provenance
from shiftcli.results.rankings import deciding_table, next_table, ranking_table, short_title
from shiftcli.results.sections import Diagram, Lanes, Measured, Page, Point, Section
from shiftcli.results.spectra import cross_peak_document
from shiftcli.results.tables import Table
from shiftcli.structure.crystal import SPECIES, Crystal

if TYPE_CHECKING:
    from shiftcli.nmr.assignment import Comparison, Fit, Row
    from shiftcli.nmr.gathering import Candidate
    from shiftcli.nmr.ranking import Ranking
    from shiftcli.nmr.spectrum import Measured as MeasuredSpectrum
    from shiftcli.prediction.predictor import Prediction, Predictor

#: Structures of a page at most: each takes some 100 kB of it.
MOST_STRUCTURES = 500

#: Candidates of a ranking that get a section of their own at most.
MOST_CANDIDATES = 20


def prediction_page(results: Results, citations: Citations) -> Page:
    """Predicted structures: what a view draws of them.

    Raises
    ------
    ShiftcliError
        If there are none, or more than a page can hold.
    """
    _check_number(results.predictions)

    def sections() -> Iterator[Section]:
        for prediction in results.predictions:
            yield _structure(results, prediction, Settings(results.references))

    title = f"NMR shieldings of {_what(results.predictions)}"
    return _page(title, results, citations, sections())


def comparison_page(compared: Comparisons, citations: Citations) -> Page:
    """Structures held against measured shifts: what a view draws of them.

    Raises
    ------
    ShiftcliError
        As for `prediction_page`.
    """
    predictions = [structure.prediction for structure in compared.structures]
    _check_number(predictions)
    results = Results(
        compared.predictor, predictions, compared.failures, compared.references, compared.precision
    )
    sections = (_compared(results, structure) for structure in compared.structures)
    return _page(f"Measured shifts against {_what(predictions)}", results, citations, sections)


def spectrum_page(
    results: Results,
    settings: Settings,
    spectra: Sequence[Spectrum | Correlation],
    citations: Citations,
    measured: Sequence[MeasuredSpectrum] = (),
) -> Page:
    """Spectra of structures: what a view draws of them.

    Parameters
    ----------
    results : Results
        The structures.
    settings : Settings
        How their spectra are made.
    spectra : sequence of Spectrum or Correlation
        Those of all structures together.
    citations : Citations
        What to cite.
    measured : sequence of MeasuredSpectrum
        What was measured, drawn on axes of shifts.

    Raises
    ------
    ShiftcliError
        As for `prediction_page`.
    """
    _check_number(results.predictions)
    overview = None
    if len(results.predictions) > 1:
        together = tuple(structure_lanes([s for s in spectra if isinstance(s, Spectrum)]))
        overview = Section("All structures", spectra=together) if together else None

    def sections() -> Iterator[Section]:
        for prediction in results.predictions:
            drawn = [s.axis.element for s in spectra if isinstance(s, Spectrum)]
            made = _structure(results, prediction, settings, drawn)
            lanes = tuple(
                over_measured(own, prediction, settings, measured) for own in made.spectra
            )
            made = replace(made, spectra=lanes)
            for s in spectra:
                if isinstance(s, Correlation) and s.crystal is prediction.crystal:
                    table = _cross_peak_table(s, results.precision)
                    made = replace(
                        made, tables=(*made.tables, table), diagrams=(_cross_peaks(s, table),)
                    )
            yield made

    title = f"NMR spectra of {_what(results.predictions)}"
    return _page(title, results, citations, sections(), overview)


def ranking_page(
    ranking: Ranking,
    results: Results,
    citations: Citations,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
) -> Page:
    """Ranked candidates: what a view draws of them.

    Parameters
    ----------
    ranking : Ranking
        The candidates, at least one.
    results : Results
        Networks, references and precision; its predictions are not looked at.
    citations : Citations
        What to cite.
    exchange : collection of str
        What was averaged.

    Raises
    ------
    ShiftcliError
        If there are no candidates.
    """
    _check_number(ranking.candidates[:MOST_STRUCTURES])
    compared = [
        _ranked(ranking, candidate, exchange)
        for candidate in takewhile(
            lambda c: c.place in ranking.predictions, ranking.candidates[:MOST_CANDIDATES]
        )
    ]
    names = [f"{k}. {short_title(c)}" for k, c in enumerate(ranking.candidates, 1)]
    listed = _without_folders(ranking_table(ranking, results.precision))
    further = filter(None, (deciding_table(ranking, results.precision), next_table(ranking)))
    left = len(ranking.candidates) - len(compared)
    overview = Section(
        f"Candidates by {Path(ranking.experiment.source).name}",
        f"{len(ranking.candidates)} ranked; a row opens its structure below"
        + (f" (the best {len(compared)})" if left else ""),
        ranking.notes,
        tables=(replace(listed, title="Candidates, best first"), *further),
        spectra=tuple(candidate_lanes(compared[:MOST_LANES], names, results.references)),
        note="Dashed: measured shifts. Each candidate with the offset that fits it.",
    )
    sections = (
        replace(_compared(results, structure), title=name)
        for structure, name in zip(compared, names, strict=False)
    )
    title = f"{len(ranking.candidates)} candidates ranked by measured shifts"
    results = replace(results, failures=ranking.failures)
    return _page(title, results, citations, sections, overview)


def _page(
    title: str,
    results: Results,
    citations: Citations,
    sections: Iterable[Section],
    overview: Section | None = None,
) -> Page:
    summary, sources = _summary(results.predictor), _sources(results, citations)
    return Page(title, summary, sections, overview, results.failures, sources)


def _ranked(
    ranking: Ranking, candidate: Candidate, exchange: Collection[str]
) -> StructureComparison:
    """A candidate as a comparison, with the shieldings of its file where those were ranked, too."""
    prediction = ranking.predictions[candidate.place]
    made = StructureComparison(
        prediction, known_rows(average(prediction, exchange)), candidate.comparison
    )
    if ranking.stated is None:
        return made
    of_file = {(c.file, c.name): c.comparison for c in ranking.stated.candidates}
    stated = of_file.get((candidate.file, candidate.name))
    if stated is None:
        why = "the shieldings of its file are not ranked"
        return replace(made, beside=(None,) * len(candidate.comparison.rows), why=why)
    return replace(made, stated=stated, beside=stated.rows)


def _without_folders(table: Table) -> Table:
    """Candidates by the names of their files."""
    keys = [column.key for column in table.columns]
    file, name, shown = map(keys.index, ("file", "name", "candidate"))
    rows = []
    for row in table.rows:
        cells = list(row)
        cells[shown] = ": ".join(filter(None, (Path(row[file]).name, row[name])))
        rows.append(tuple(cells))
    return replace(table, rows=rows)


def _check_number(structures: Sequence[object]) -> None:
    if not structures:
        raise ShiftcliError("no structure was predicted that a report could show")
    if len(structures) > MOST_STRUCTURES:
        raise ShiftcliError(
            f"{len(structures)} structures are too many for one report",
            hint=f"{MOST_STRUCTURES} at most",
        )


def shown_name(crystal: Crystal) -> str:
    """File and name of a structure, without the folders, which are nobody else's business."""
    names = (Path(crystal.source).name, crystal.name)
    return ": ".join(name for name in names if name) or "structure"


def _what(predictions: Sequence[Prediction]) -> str:
    crystal = predictions[0].crystal
    if len(predictions) > 1:
        return f"{len(predictions)} structures"
    return crystal.name or shown_name(crystal)


def _summary(predictor: Predictor | Origin) -> str:
    species = ", ".join(SPECIES[nucleus] for nucleus in predictor.calibrations)
    if not species:
        return f"By shiftcli {__version__}: {predictor.model}"
    return f"Predicted by shiftcli {__version__}: isotropic shieldings of {species}"


def _structure(
    results: Results,
    prediction: Prediction,
    settings: Settings,
    elements: Sequence[str] | None = None,
) -> Section:
    """A structure, its sites, and its spectra of some elements, of all if none are named."""
    crystal = prediction.crystal
    there = elements_of([prediction])
    drawn = there if elements is None else [e for e in dict.fromkeys(elements) if e in there]
    kind = "isolated molecule" if crystal.cell is None else "atoms of the unit cell"
    exchange = ", ".join(sorted(settings.exchange))
    return Section(
        shown_name(crystal),
        f"{describe(crystal)}, {kind}; {len(prediction.sites)} distinct sites predicted",
        crystal.warnings,
        crystal,
        (replace(results.table(prediction), title="Predicted shieldings", detail=""),),
        (),
        tuple(Lanes(tuple(simulate_spectra([prediction], [e], settings))) for e in drawn),
        "Areas are numbers of nuclei in the cell."
        + (f" Sites that exchange ({exchange}) are one." if exchange else ""),
    )


def _compared(results: Results, structure: StructureComparison) -> Section:
    """A structure held against measured shifts."""
    found, prediction = structure.comparison, structure.prediction
    settings = fitted_settings(results.references, structure)
    bare = _structure(replace(results, references=settings.references), prediction, settings, ())
    rows, *others = comparison_tables(structure, results.precision, results.predictor.model)
    first = replace(rows, key="comparison", title="Comparison with experiment", detail="")
    atoms = dict(zip(found.rows, map(tuple, rows.atoms), strict=True))
    spectra = []
    for element in elements_of([prediction]):
        measured = tuple(
            Measured(row.measured, row.site, row.predicted, atoms[row])
            for row in found.rows
            if row.species == SPECIES[element]
        )
        spectra.append(
            Lanes((wide_spectrum([prediction], element, settings, measured),), (), measured)
        )
    return replace(
        bare,
        notes=(*bare.notes, *found.notes, *filter(None, [structure.why])),
        tables=(first, *bare.tables, *(table for table in others if table.rows)),
        # One shift tells nothing where the offset was fitted to it.
        diagrams=tuple(_against(found, fit, atoms) for fit in found.fits if fit.n > 1),
        spectra=tuple(spectra),
        note=f"{bare.note} Below the axis: measured shifts, tied to their predictions.",
    )


def _against(found: Comparison, fit: Fit, atoms: Mapping[Row, tuple[int, ...]]) -> Diagram:
    """Predicted over measured shifts of one nuclide."""
    points = [
        Point(
            row.measured, row.predicted,
            f"{row.site}: measured {row.measured:.2f}, predicted {row.predicted:.2f}, "
            f"difference {row.difference:+.2f} ± {row.sigma:.2f} ppm",
            atoms[row], row.sigma, {">2σ": 1, ">3σ": 2}.get(row.flag, 0),
        )
        for row in found.rows
        if row.species == fit.species
    ]  # fmt: skip
    return Diagram(
        f"{fit.species}, RMSE {fit.rmse:.2f} ppm", ("measured/ppm", "predicted/ppm"), tuple(points),
        diagonal=True,
    )  # fmt: skip


def _cross_peak_table(spectrum: Correlation, precision: int) -> Table:
    (entry,) = cross_peak_document([spectrum], precision).entries
    rows = [(peak.first.row, peak.second.row) for peak in spectrum.peaks]
    atoms = [sorted({*a.site.atoms.tolist(), *b.site.atoms.tolist()}) for a, b in rows]
    return replace(entry.tables[0], title="Cross peaks", detail="", key="pairs", atoms=atoms)


def _cross_peaks(spectrum: Correlation, table: Table) -> Diagram:
    first, second = spectrum.axes
    points = [
        Point(
            peak.first.position, peak.second.position,
            f"{peak.first.label}–{peak.second.label}: {peak.first.position:.2f}, "
            f"{peak.second.position:.2f}",
            tuple(atoms),
        )
        for peak, atoms in zip(spectrum.peaks, table.atoms, strict=True)
    ]  # fmt: skip
    title = f"{first.species}–{second.species} correlation"
    return Diagram(title, (first.title, second.title), tuple(points), falls=first.falls)


def _sources(results: Results, citations: Citations) -> list[tuple[str, str]]:
    predictor = results.predictor
    about = provenance(predictor)
    entries = [("Program", f"{about['program']} {about['version']}"), ("Model", about["model"])]
    entries += [(f"Network {name}", f"SHA-256 {sha}") for name, sha in about["weights"].items()]
    entries += [("Uncertainty", text) for text in _uncertainties(predictor)]
    entries += [("Shift references", text) for text in _references(results.references)]
    works = citations.works if about["weights"] else ()
    return entries + [(w.reason, w.to_text()) for w in works if w.reason != PROGRAMS]


def _uncertainties(predictor: Predictor | Origin) -> list[str]:
    own = ", ".join(SPECIES[n] for n, made in predictor.calibrations.items() if made is not None)
    same = ", ".join(SPECIES[n] for n, made in predictor.calibrations.items() if made is None)
    meaning = "± is the half width of the interval that holds the GIPAW shielding with 68 or 95 %"
    texts = [f"{meaning}, calibrated for each atom ({own})"] if own else []
    return texts + ([f"{meaning}, from the validation RMSE ({same})"] if same else [])


def _references(given: References) -> list[str]:
    values = [
        f"{SPECIES[e]} {value:g} ppm, gradient {given.gradient(e):g}"
        for e, value in given.references.items()
    ]
    return ["; ".join(values), *given.sources] if values else []
