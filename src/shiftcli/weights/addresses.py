"""Addresses of folders of networks, and which of them may be trusted to say what they hold.

An address is ``https://…``, ``file:///…`` or a plain directory. Plain ``http://`` is refused,
of the address itself and of wherever it redirects to, unless it is allowed or never leaves this
machine: networks are checked by hash, but a manifest that came along with them is not.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from shiftcli.errors import UsageError

#: Environment variables: the address to download from, and 1 where it may be plain http.
URL_VARIABLE, HTTP_VARIABLE = "SHIFTCLI_WEIGHTS_URL", "SHIFTCLI_ALLOW_HTTP"


@dataclass(frozen=True)
class Address:
    """Where a folder of networks can be downloaded from.

    Attributes
    ----------
    base : str
        URL that ends with a slash, or path of a directory.
    allow_http : bool
        Whether a connection may be in plain text.
    """

    base: str
    allow_http: bool = False

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
    """Read an address.

    Parameters
    ----------
    text : str
        ``https://…``, ``file:///…`` or a directory.
    allow_http : bool, optional
        Whether plain ``http://`` will do; without it, whether ``SHIFTCLI_ALLOW_HTTP`` is 1.

    Raises
    ------
    UsageError
        If it is none, or in plain text and that is not allowed.
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
