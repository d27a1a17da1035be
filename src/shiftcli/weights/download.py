"""Fetches files from a folder's address, through pooch: temporary file, hash, retry."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from shiftcli.errors import WeightsError
from shiftcli.weights.addresses import Address, is_safe, plain, shown

if TYPE_CHECKING:
    import requests

#: Told the file, the bytes that have come, and how many there will be.
Progress = Callable[[str, int, int], None]

#: How often a transfer that failed is begun again; pooch waits 1, 2, 3 s in between.
_RETRIES = 3

#: Seconds without a byte after which a transfer fails, and the slowest that is waited for
#: (bytes per second, after the first minute).
_SILENCE, _SLOWEST = 30.0, 2000

#: Bytes that are moved at once: few, so that time is looked at even where they trickle.
_CHUNK = 4096

_MOST_REDIRECTIONS = 5

#: Statuses at which another attempt is of no use.
_FINAL = range(400, 500)


class _Short(ValueError):
    """Fewer bytes came than there are; pooch tries again after a ValueError."""


class _Receiver:
    """A file that takes no more than was announced, in no more time than is reasonable."""

    def __init__(self, handle: BinaryIO, transfer: Transfer) -> None:
        self.handle, self.transfer, self.received = handle, transfer, 0
        self.deadline = time.monotonic() + 60.0 + transfer.size / _SLOWEST

    def write(self, chunk: bytes) -> None:
        file, size, progress = self.transfer.file, self.transfer.size, self.transfer.progress
        self.received += len(chunk)
        if self.received > size:
            raise WeightsError(f"{file} has more than {size} bytes")
        if time.monotonic() > self.deadline:
            raise WeightsError(f"{file} comes more slowly than {_SLOWEST} bytes a second")
        self.handle.write(chunk)
        if progress is not None:
            progress(file, self.received, size)

    def flush(self) -> None:
        """pooch asks for it after every piece; once at the end is enough."""

    def finish(self) -> None:
        file, size = self.transfer.file, self.transfer.size
        if self.transfer.exact and self.received != size:
            raise _Short(f"{file} has {self.received} bytes in place of {size}")
        self.handle.flush()
        os.fsync(self.handle.fileno())


class Transfer:
    """Moves one file; what pooch calls a downloader.

    Parameters
    ----------
    address : Address
        The folder that has it.
    file : str
        Its name.
    size : int
        Its size in bytes, or the most that it may have.
    exact : bool
        Whether it must have that size.
    progress : callable, optional
        Told how far it is.
    """

    def __init__(
        self,
        address: Address,
        file: str,
        size: int,
        *,
        exact: bool,
        progress: Progress | None = None,
    ) -> None:
        self.address, self.file, self.size, self.exact = address, file, size, exact
        self.progress = progress
        self.redirections = 0
        self.response: requests.Response | None = None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Copy what is at an address into a file."""
        with open(output_file, "wb") as handle:
            receiver = _Receiver(handle, self)
            if self.address.is_remote:
                self._request(url, receiver, pooch)
            else:
                self._copy(Path(url), receiver)
            receiver.finish()

    def _copy(self, path: Path, receiver: _Receiver) -> None:
        if not path.is_file():  # a pipe would never end
            raise WeightsError(f"{path}: no such file")
        try:
            source = open(path, "rb")  # noqa: SIM115
        except OSError as error:
            raise WeightsError(f"{path}: {error.strerror or error}") from error
        with source:
            while chunk := source.read(_CHUNK):
                receiver.write(chunk)

    def _request(self, url: str, receiver: _Receiver, pooch: Any) -> None:
        from pooch import HTTPDownloader

        self.redirections = 0
        download = HTTPDownloader(
            chunk_size=_CHUNK,
            timeout=_SILENCE,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": self._check},
        )
        try:
            download(url, receiver, pooch)
        finally:
            if self.response is not None:
                self.response.close()

    def _check(self, response: requests.Response, **_: Any) -> None:
        """Look at each answer, redirections too, before anything more is asked or read."""
        self.response = response
        if response.is_redirect:
            self._check_redirection(response)
        elif response.status_code in _FINAL:
            status = f"{response.status_code} {response.reason}"
            raise WeightsError(f"{shown(response.url)}: {status}")
        elif response.ok and self.exact:
            length = response.headers.get("content-length", "")
            if length.isdigit() and int(length) != self.size:
                raise WeightsError(
                    f"{shown(response.url)} has {length} bytes in place of {self.size}, "
                    "so it is not the file that the manifest names"
                )

    def _check_redirection(self, response: requests.Response) -> None:
        target = urljoin(response.url, response.headers["location"])
        scheme = urlsplit(target).scheme
        self.redirections += 1
        if self.redirections > _MOST_REDIRECTIONS:
            raise WeightsError(f"{shown(response.url)} redirects without end")
        if scheme not in ("http", "https"):
            raise WeightsError(f"redirected to {shown(target)}, which is no web address")
        # In plain text on this machine may go on only what began so.
        if not is_safe(target, self.address.allow_http, urlsplit(response.url).scheme == "http"):
            raise WeightsError(f"redirected to {plain(target)}")


def fetch(
    address: Address,
    file: str,
    folder: Path,
    *,
    size: int,
    sha256: str | None,
    progress: Progress | None = None,
) -> Path:
    """Download one file.

    Parameters
    ----------
    address : Address
        The folder that has it.
    file : str
        Its name, checked before.
    folder : pathlib.Path
        Where to put it; an own folder of this process.
    size : int
        Its size in bytes; without a hash, the most that it may have.
    sha256 : str or None
        Its hash.
    progress : callable, optional
        Told file, bytes received, and bytes in all.

    Returns
    -------
    pathlib.Path
        The file, which has the hash.

    Raises
    ------
    WeightsError
        If it cannot be had, or is not what it should be.
    OSError
        If it cannot be written.
    """
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("ERROR")
    store = pooch.create(
        path=folder,
        base_url="",
        registry={file: sha256},
        urls={file: address.of(file)},
        retry_if_failed=_RETRIES,
    )
    transfer = Transfer(address, file, size, exact=sha256 is not None, progress=progress)
    try:
        return Path(store.fetch(file, downloader=transfer))
    except RequestException as error:
        raise WeightsError(_reason(error, address.of(file))) from error
    except _Short as error:
        raise WeightsError(str(error)) from error
    except ValueError as error:  # of pooch
        raise WeightsError(
            f"{shown(address.of(file))} is not the file that the manifest names: another SHA-256"
        ) from error


def _reason(error: requests.RequestException, url: str) -> str:
    """One sentence for an error of requests."""
    import requests

    host = urlsplit(url).hostname
    if error.response is not None:
        status = f"{error.response.status_code} {error.response.reason}"
        return f"{shown(url)}: {status}"
    for kind, text in (
        (requests.exceptions.SSLError, f"no secure connection to {host}"),
        (requests.exceptions.ProxyError, f"the proxy does not lead to {host}"),
        (requests.Timeout, f"{host} does not answer"),
        (requests.TooManyRedirects, f"{shown(url)} redirects without end"),
        (requests.exceptions.ChunkedEncodingError, f"{host} breaks off half-way"),
        (requests.ConnectionError, f"no connection to {host}"),
    ):
        if isinstance(error, kind):
            # A silence in the midst of a file is a ConnectionError too.
            return f"{host} does not answer" if "timed out" in str(error) else text
    return f"{shown(url)}: {type(error).__name__}"
