"""Where the time of one crystal goes, step by step, in a fresh process and again in the same."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shiftcli.errors import ShiftcliError

#: What a prediction does, in this order; the first two once a process.
STEPS = ("import", "load", "read", "surroundings", "voxelize", "network")


def measure_steps(path: Path, settings: dict[str, Any]) -> dict[str, tuple[float, float | None]]:
    """Seconds of each of `STEPS`, in a fresh process and the second time there.

    Of the first structure of a file, by a `Predictor` of these settings; the second is None for
    what is done once. `ShiftcliError` if the process fails.
    """
    # As a file, since as a module it would come after all that its package imports.
    command = [sys.executable, "-P", __file__, str(path)]
    given = json.dumps({**settings, "weights": settings["weights"] and str(settings["weights"])},
                       default=list)  # fmt: skip
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ShiftcliError(f"a fresh process failed: {done.stderr.strip()[-200:]}")
    return {name: (cold, warm) for name, (cold, warm) in json.loads(done.stdout).items()}


def _run(path: str, settings: dict[str, Any]) -> dict[str, list[float | None]]:
    times: dict[str, list[float | None]] = {name: [] for name in STEPS}

    def timed(name: str, job: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = job()
        times[name].append(time.perf_counter() - start)
        return result

    timed("import", _import)
    from shiftcli.density.environments import surroundings
    from shiftcli.network.folding import with_mirror_images
    from shiftcli.network.inference import (
        DEFAULT_VIEWS,
        Held,
        densities,
        forward,
        prediction_views,
    )  # fmt: skip
    from shiftcli.prediction.predictor import Predictor, prepare
    from shiftcli.readers import read

    predictor = timed("load", lambda: Predictor(**settings))
    for _ in ("cold", "warm"):
        crystal = timed("read", lambda: prepare(read(path)[0]))
        sums = dict.fromkeys(STEPS[3:], 0.0)
        for nucleus, members in predictor.networks.items():
            sites = [site for site in crystal.sites if site.element == nucleus]
            if not sites:
                continue
            orientation = members[0][1].orientation
            marks = [time.perf_counter()]
            environments = surroundings(crystal, sites)
            turned, _ = prediction_views(environments, orientation, DEFAULT_VIEWS[orientation])
            rows, columns = turned.weights.nonzero()
            marks.append(time.perf_counter())
            network = members[0][0]
            volume = densities(
                network, Held.on(predictor.device, environments)[rows],
                turned.rotations[rows, columns], predictor.dtype,
            )  # fmt: skip
            marks.append(time.perf_counter())
            if orientation == "frames":  # as `network.inference.view_statistics` runs them
                with_mirror_images([member for member, _ in members], volume).cpu()
            else:
                for member, _ in members:
                    forward(member, volume)
            marks.append(time.perf_counter())
            for name, start, end in zip(sums, marks, marks[1:], strict=False):
                sums[name] += end - start
        for name, seconds in sums.items():
            times[name].append(seconds)
    for name in STEPS[:2]:
        times[name].append(None)
    return times


def _import() -> None:
    import shiftcli.prediction.predictor  # noqa: F401


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], json.load(sys.stdin))))
