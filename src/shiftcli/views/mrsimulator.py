"""Predictions as spin systems for mrsimulator.

Format: https://mrsimulator.readthedocs.io, objects SpinSystem and Site as JSON.
"""

from __future__ import annotations

import json

from shiftcli import __version__
from shiftcli.errors import UsageError
from shiftcli.results.predictions import Results

#: A shift without a unit is in ppm, but a file says so.
_UNIT = "ppm"


def write_mrsimulator(results: Results) -> str:
    """Write predictions, with references, as a list of spin systems.

    JSON: an uncoupled spin system of one site for each symmetry-distinct atom whose element has a
    reference, with its isotropic shift in ppm and, as abundance in %, its share of the sites of
    that nuclide. Flags and notes stand in the descriptions. `UsageError` if no atom has a shift.
    """
    systems = []
    for prediction in results.predictions:
        records = [r for r in results.sites(prediction).records() if r["shift"] is not None]
        crystal = prediction.crystal
        if not records:
            raise UsageError(
                "no predicted atom has a reference, and spin systems hold shifts",
                where=crystal.where,
                hint="name the element in --references",
            )
        totals: dict[str, int] = {}
        for record in records:
            species = record["species"]
            totals[species] = totals.get(species, 0) + record["multiplicity"]
        for record in records:
            origin = f"predicted by shiftcli {__version__}, model {results.predictor.model}"
            told = [crystal.where, origin, *record["flags"], *crystal.warnings]
            share = 100 * record["multiplicity"] / totals[record["species"]]
            site = {
                "isotope": record["species"],
                "isotropic_chemical_shift": f"{record['shift']} {_UNIT}",
            }
            systems.append(
                {
                    "name": record["labels"],
                    "description": "; ".join(filter(None, told)),
                    "sites": [{**site, "label": record["labels"]}],
                    "abundance": f"{share:.6g} %",
                }
            )
    return json.dumps(systems, indent=1, ensure_ascii=False) + "\n" if systems else ""
