"""The folders in which networks may lie: the package's own, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from shiftcli.errors import WeightsError

#: Environment variable that names the folder of everything that is downloaded.
CACHE_VARIABLE = "SHIFTCLI_CACHE"


def packaged(name: str) -> Path:
    """A folder that comes with the program.

    Parameters
    ----------
    name : {"weights", "examples"}
        The folder.

    Returns
    -------
    pathlib.Path
        Inside the installed package, or of the source checkout.

    Raises
    ------
    WeightsError
        If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / f"_{name}", package.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise WeightsError(f"the {name} of the package are missing", hint="install shiftcli again")


def cache_folder() -> Path:
    """The folder of downloaded networks, which need not exist.

    Returns
    -------
    pathlib.Path
        ``weights`` in ``SHIFTCLI_CACHE``, else in the system's folder for caches of this user.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute() / "weights"
    from platformdirs import user_cache_path

    return user_cache_path("shiftcli", appauthor=False) / "weights"
