"""Frames of one crystal become one set of shieldings: molecular dynamics, conformers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from shiftcli.errors import StructureError, UsageError, attempt, counted, visible
from shiftcli.nmr.averaging import FRAMES
from shiftcli.prediction.predictor import Failure, Prediction, Predictor, SitePrediction
from shiftcli.structure.crystal import Crystal, Site


def average_frames(
    predictions: Sequence[Prediction], weights: Sequence[float] | None = None
) -> Prediction:
    """Average the shieldings of frames of the same atoms in the same order, atom by atom.

    Of the first frame's crystal; atoms of one label are one site. Without `weights` all frames
    weigh the same. The uncertainty is that of the prediction, which frames share, and the standard
    error of the mean, by squares; the latter, for frames that are independent of each other, is
    also said in a flag. `StructureError` if the frames are of different atoms; `UsageError` if
    weights are negative, all 0, or not one a frame.
    """
    first = predictions[0].crystal
    for other in predictions:
        if not np.array_equal(other.crystal.elements, first.elements):
            raise StructureError(
                "its frames are of different atoms, or of atoms in another order",
                where=first.source,
            )
    share = np.ones(len(predictions)) if weights is None else np.asarray(weights, dtype=float)
    if len(share) != len(predictions) or (share < 0).any() or not share.sum() > 0:
        raise UsageError(f"{len(share)} weights for {len(predictions)} frames, or none above 0")
    share = share / share.sum()
    shape = (len(predictions), len(first), 3)
    values = np.full(shape, np.nan)
    flags: dict[int, dict[str, None]] = {}
    for k, prediction in enumerate(predictions):
        for row in prediction.sites:
            values[k, row.site.atoms] = (row.shielding, row.uncertainty, row.uncertainty95)
            for atom in row.site.atoms.tolist():
                flags.setdefault(atom, {}).update(dict.fromkeys(row.flags))
    members: dict[tuple[str, str], list[int]] = {}
    for atom in np.flatnonzero(np.isfinite(values[:, :, 0]).all(axis=0)).tolist():
        members.setdefault((first.labels[atom], str(first.elements[atom])), []).append(atom)
    rows = []
    for (label, element), atoms in members.items():
        own = tuple(dict.fromkeys(flag for atom in atoms for flag in flags[atom]))
        site = Site(label, element, np.array(atoms))
        rows.append(_mean_of(site, values[:, atoms].mean(axis=1), share, own))
    return Prediction(first, tuple(rows))


def _mean_of(
    site: Site, values: np.ndarray, share: np.ndarray, flags: tuple[str, ...]
) -> SitePrediction:
    """Mean of a site's shieldings and half widths in each frame, shape (frames, 3)."""
    shieldings, widths, widths95 = values.T
    mean = float(share @ shieldings)
    # Frames of unequal weight count as fewer.
    number = 1.0 / float((share**2).sum())
    variance = float(share @ (shieldings - mean) ** 2)
    error = math.sqrt(variance / (number - 1.0)) if number > 1.0 else 0.0
    return SitePrediction(
        site,
        mean,
        math.hypot(float(share @ widths), error),
        math.hypot(float(share @ widths95), 1.96 * error),
        (*flags, f"mean of {len(share)} frames, standard error {error:.2f} ppm"),
    )


class FrameMeans:
    """A predictor that makes one prediction of all frames of a file by another one.

    `key` is that of the frames' headers (`Crystal.info`) that holds their weights; without it all
    weigh the same.
    """

    def __init__(self, predictor: Predictor, key: str = "") -> None:
        self._predictor, self._key = predictor, key

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._predictor, name)

    def again(self) -> Callable[[], FrameMeans]:
        """See `Predictor.again`."""
        return partial(_means, self._predictor.again(), self._key)

    def predict_files(self, files: Iterable[str], **reading: Any) -> Iterator[Prediction | Failure]:
        """See `Predictor.predict_files`; a file with a frame that fails has failed."""
        for file in files:
            outcomes = list(self._predictor.predict_files([file], **reading))
            failed = [one for one in outcomes if isinstance(one, Failure)]
            done = [one for one in outcomes if isinstance(one, Prediction)]
            if failed or not done:
                yield from failed[:1]
                continue
            yield attempt(partial(self._mean, done), file, done[0].crystal.where)

    def _mean(self, done: Sequence[Prediction]) -> Prediction:
        weights = [_weight(one.crystal, self._key) for one in done] if self._key else None
        mean = average_frames(done, weights)
        crystal, by = mean.crystal, f", weights by {self._key}" if self._key else ""
        said = f"shieldings are means of {counted(len(done), 'frame')}{by}; atoms of the first"
        name = "" if re.fullmatch(r"#\d+", crystal.name) else crystal.name
        return replace(
            mean, crystal=replace(crystal, name=name, warnings=(*crystal.warnings, said))
        )


def _means(make: Callable[[], Predictor], key: str) -> FrameMeans:
    return FrameMeans(make(), key)


def _weight(crystal: Crystal, key: str) -> float:
    text = crystal.info.get(key)
    if text is None:
        raise StructureError(
            f"no weight '{visible(key, 30)}' in its header", where=crystal.where,
            hint=f"there is {', '.join(crystal.info) or 'nothing'}",
        )  # fmt: skip
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0.0 <= weight < math.inf:
        raise StructureError(
            f"{visible(key, 30)} = '{visible(text, 30)}' is no weight: a number from 0 on is",
            where=crystal.where,
        )
    return weight


def over_frames(predictor: Predictor, average: Collection[str], key: str = "") -> Predictor:
    """The predictor, averaging over frames where the words of ``--average`` say so.

    `UsageError` if there is a key of weights, but no average over frames.
    """
    if FRAMES in average:
        return FrameMeans(predictor, key)  # type: ignore[return-value]
    if key:
        raise UsageError(f"--frame-weights goes with --average {FRAMES}")
    return predictor
