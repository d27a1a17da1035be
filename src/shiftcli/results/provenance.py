"""Where numbers come from: program, version, networks, references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shiftcli import __version__
from shiftcli.structure.crystal import SPECIES

if TYPE_CHECKING:
    from shiftcli.nmr.shifts import References
    from shiftcli.prediction.predictor import Predictor
    from shiftcli.weights.manifest import WeightFile


@dataclass(frozen=True)
class Origin:
    """What made predictions that are here without their predictor."""

    model: str  #: Name of the model.
    files: list[WeightFile]  #: Its networks.
    version: str = __version__  #: That of the program.
    calibrations: Mapping[str, Any] = field(default_factory=dict)  #: Nobody has kept them.


def provenance(predictor: Predictor | Origin) -> dict[str, Any]:
    """Program, version, model and hashes of the networks, as every JSON document begins."""
    return {
        "program": "shiftcli",
        "version": getattr(predictor, "version", __version__),
        "model": predictor.model,
        "weights": {f.path.name: f.sha256 for f in predictor.files},
    }


def conversion(references: References) -> dict[str, dict[str, float]]:
    """σ_ref in ppm and slopes by nuclide, for documents; empty where none were given."""
    elements = dict.fromkeys((*references.references, *references.gradients))
    return {
        "references": {SPECIES[e]: value for e, value in references.references.items()},
        "gradients": {SPECIES[e]: references.gradient(e) for e in elements},
    }
