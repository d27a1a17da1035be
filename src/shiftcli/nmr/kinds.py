"""What an experiment can say of sites beside their names: kinds, numbers, neighbours."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.nmr.labels import graph_places
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.kinds import environment_classes
from shiftcli.structure.neighbours import NeighbourSearch

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Predictor, SitePrediction

#: Words for what a peak may belong to: the heavy atom and its hydrogens (NH and OH stand for any
#: number of them), any carbon with three neighbours that is no C=O, or a hydrogen of it, and C=O.
KINDS = (
    *("CH3", "CH2", "CH", "C", "NH", "NH2", "NH3", "N", "OH", "OH2", "O"),
    *("aromatic", "CO"),
)

#: Factors on the uncertainty of hydrogens by class, for networks whose calibration does not know
#: kinds (see `widening`): their 68 % intervals held 35 % of N-H and 53 % of O-H. Fitted by a
#: prototype on GIPAW shieldings of published crystals together with
#: `shiftcli.nmr.likelihood.COMMON`; it was not cross-validated here.
WIDTH_FACTORS = {"N-H": 2.1, "O-H": 1.7}

#: Distance (Å) within which two nuclei are near.
NEAR = 3.0


@dataclass(frozen=True)
class Surrounding:
    """What is around a row of a prediction."""

    #: Class of its environment, of `shiftcli.nmr.kinds.environment_classes`.
    environment: str = "other"
    place: Hashable = None  #: In the molecular graph, see `shiftcli.nmr.labels.graph_places`.
    words: frozenset[str] = frozenset()  #: Which of `KINDS` it is.
    protons: int = 1  #: Atoms of a hydrogen row in one molecule.
    widening: float = 1.0  #: Factor on its uncertainty.
    #: Positions of the rows that its atoms are bonded to, or within `NEAR` of.
    bonded: frozenset[int] = frozenset()
    near: frozenset[int] = frozenset()


def widening(predictor: Predictor) -> Mapping[str, float]:
    """Factors on uncertainties by class: none where the predictor's calibration knows kinds."""
    made = predictor.calibrations.get("H")
    knows = "H" not in predictor.calibrations or (made is not None and bool(made.kinds))
    return {} if knows else WIDTH_FACTORS


def row_of_atom(rows: Sequence[SitePrediction]) -> dict[int, int]:
    """Position of the row of each atom that has one."""
    return {atom: k for k, row in enumerate(rows) for atom in row.site.atoms.tolist()}


def describe(
    crystal: Crystal,
    rows: Sequence[SitePrediction],
    *,
    near: bool = False,
    factors: Mapping[str, float] = WIDTH_FACTORS,
) -> tuple[Surrounding, ...]:
    """What is around each row of a prediction, averaged by `shiftcli.nmr.averaging.average`.

    `near` is whether to look for rows that are near, `factors` on uncertainties by class, see
    `widening`.
    """
    holder = row_of_atom(rows)
    bonds = find_bonds(crystal)
    classes, hydrogens = environment_classes(crystal), bonds.count("H")
    molecule, places = bonds.molecules, graph_places(crystal)
    search = NeighbourSearch(crystal.cell, crystal.positions, NEAR) if near else None
    found = []
    for row in rows:
        atoms = row.site.atoms
        close = search.around(crystal.positions[atoms], atoms).second.tolist() if search else []
        partners = bonds.neighbours[atoms[0]]
        is_hydrogen = row.site.element == "H"
        carrier = partners[0] if is_hydrogen and len(partners) else atoms[0]
        environment = str(classes[atoms[0]])
        joined = {b for a in atoms.tolist() for b in bonds.neighbours[a].tolist()}
        found.append(
            Surrounding(
                environment,
                next((places[a] for a in atoms.tolist() if a in places), None),
                _words(str(bonds.elements[carrier]), int(hydrogens[carrier]), environment),
                int(np.count_nonzero(molecule[atoms] == molecule[atoms[0]])) if is_hydrogen else 1,
                factors.get(environment, 1.0),
                frozenset(holder[b] for b in joined if b in holder),
                frozenset(holder[b] for b in close if b in holder),
            )
        )
    return tuple(found)


def _words(carrier: str, hydrogens: int, environment: str) -> frozenset[str]:
    """Words for a row whose heavy atom carries so many hydrogens."""
    count = "" if hydrogens == 1 else str(hydrogens)
    words = {f"{carrier}H{count}" if hydrogens else carrier}
    if carrier != "C" and hydrogens:
        words.add(f"{carrier}H")
    if "aromatic" in environment:
        words.add("aromatic")
    if carrier == "C" and environment.startswith("carbonyl"):
        words.add("CO")
    return frozenset(words)
