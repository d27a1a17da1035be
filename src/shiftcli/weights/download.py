"""Fetches files from the address of a folder, through pooch: temporary file, hash, retry.

An address is ``https://…``, ``file:///…`` or a plain directory. Plain ``http://`` is refused,
of the address itself and of wherever it redirects to, unless it is allowed or never leaves this
machine: networks are checked by hash, but a manifest that came along with them is not.
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import url2pathname

from shiftcli.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import requests

#: Environment variables: the address to download from, and 1 where it may be plain http.
URL_VARIABLE, HTTP_VARIABLE = "SHIFTCLI_WEIGHTS_URL", "SHIFTCLI_ALLOW_HTTP"

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


@dataclass(frozen=True)
class Address:
    """Where a folder of networks can be downloaded from."""

    base: str  #: URL that ends with a slash, or path of a directory.
    allow_http: bool = False  #: Whether a connection may be in plain text.

    @property
    def is_remote(self) -> bool:
        """Whether it is reached over a network protocol."""
        return self.base.startswith(("http://", "https://"))

    def of(self, file: str) -> str:
        """URL, or path, of a file in the folder."""
        return self.base + quote(file) if self.is_remote else str(Path(self.base) / file)

    @property
    def shown(self) -> str:
        """The address without a password."""
        return shown(self.base) if self.is_remote else self.base


def parse_address(text: str, allow_http: bool | None = None) -> Address:
    """Read ``https://…``, ``file:///…`` or a directory.

    Plain ``http://`` will do where `allow_http` or ``SHIFTCLI_ALLOW_HTTP=1`` says so; `UsageError`
    else, and for what is no address.
    """
    allowed = os.environ.get(HTTP_VARIABLE) == "1" if allow_http is None else allow_http
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)", text)  # one letter is a drive of Windows
    name = scheme[0].lower() if scheme else ""
    if name == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise UsageError(f"'{text}' is not on this machine")
        return Address(str(Path(url2pathname(parts.path)).absolute()), allowed)
    if name in ("http", "https"):
        try:
            parts = urlsplit(text)
            has_host = bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            has_host = False
        if not has_host or parts.query or parts.fragment:
            raise UsageError(f"'{shown(text)}' is not the address of a folder")
        if not is_safe(text, allowed, True):
            raise UsageError(plain(text))
        return Address(text.rstrip("/") + "/", allowed)
    if name and not Path(text).is_dir():
        raise UsageError(f"'{text}': networks come from https, file or a directory")
    return Address(str(Path(text).expanduser().absolute()), allowed)


def shown(url: str) -> str:
    """A URL without user, password and query, for messages."""
    return re.sub(r"^([A-Za-z]+://)[^/?#]*@", r"\1", url).partition("?")[0]


def is_safe(url: str, allow_http: bool, allow_local: bool) -> bool:
    """Whether nobody in between can change what comes, or that is allowed."""
    parts = urlsplit(url)
    return parts.scheme == "https" or allow_http or (allow_local and _is_local(parts.hostname))


def plain(url: str) -> str:
    """Sentence about a URL that is not safe."""
    return (
        f"{shown(url)}, which is not https: what comes could be changed on its way "
        f"(--allow-http, or {HTTP_VARIABLE}=1, takes the risk)"
    )


def _is_local(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class _Short(ValueError):
    """Fewer bytes came than there are; pooch tries again after a ValueError."""


class Transfer:
    """Moves one file, and no more than was announced, in no more time than is reasonable.

    What pooch calls a downloader; it is also the file that pooch's own one writes to. `size` is
    that of the file in bytes or, where it need not be `exact`, the most that it may have.
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
        self.received = self.redirections = 0
        self.response: requests.Response | None = None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Copy what is at an address into a file."""
        self.received = self.redirections = 0
        self.deadline = time.monotonic() + 60.0 + self.size / _SLOWEST
        with open(output_file, "wb") as self.handle:
            if self.address.is_remote:
                self._request(url, pooch)
            else:
                self._copy(Path(url))
            if self.exact and self.received != self.size:
                raise _Short(f"{self.file} has {self.received} bytes in place of {self.size}")
            self.handle.flush()
            os.fsync(self.handle.fileno())

    def write(self, chunk: bytes) -> None:
        """Take some bytes."""
        self.received += len(chunk)
        if self.received > self.size:
            raise WeightsError(f"{self.file} has more than {self.size} bytes")
        if time.monotonic() > self.deadline:
            raise WeightsError(f"{self.file} comes more slowly than {_SLOWEST} bytes a second")
        self.handle.write(chunk)
        if self.progress is not None:
            self.progress(self.file, self.received, self.size)

    def flush(self) -> None:
        """pooch asks for it after every piece; once at the end is enough."""

    def _copy(self, path: Path) -> None:
        if not path.is_file():  # a pipe would never end
            raise WeightsError(f"{path}: no such file")
        try:
            source = open(path, "rb")  # noqa: SIM115
        except OSError as error:
            raise WeightsError(f"{path}: {error.strerror or error}") from error
        with source:
            while chunk := source.read(_CHUNK):
                self.write(chunk)

    def _request(self, url: str, pooch: Any) -> None:
        from pooch import HTTPDownloader

        download = HTTPDownloader(
            chunk_size=_CHUNK,
            timeout=_SILENCE,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": self._check},
        )
        try:
            download(url, self, pooch)
        finally:
            if self.response is not None:
                self.response.close()

    def _check(self, response: requests.Response, **_: Any) -> None:
        """Look at each answer, redirections too, before anything more is asked or read."""
        self.response = response
        if response.is_redirect:
            self._check_redirection(response)
        elif 400 <= response.status_code < 500:  # another attempt is of no use
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
    """Download one file of an address into an own folder of this process, and check its hash.

    `size` is its size in bytes or, without a hash, the most that it may have. `WeightsError` if it
    cannot be had or is not what it should be, `OSError` if it cannot be written.
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
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, TimeoutError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:  # also in the midst of a file, which requests calls a broken connection
        return f"{host} does not answer"
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
            return text
    return f"{shown(url)}: {type(error).__name__}"
