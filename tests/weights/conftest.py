"""A folder of small published networks, a server that may misbehave, and a cache of one's own."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from shiftcli.network.checkpoint import Metadata, save
from shiftcli.network.densenet import Architecture, MR3DDenseNet
from shiftcli.weights import write_manifest

TINY = Architecture("tiny", 4, 4, stem_channels=2, units=(1,), bottleneck=2, growth=1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """The folder of the cache, which is not there yet; nothing of the user's counts."""
    for name in ("SHIFTCLI_WEIGHTS", "SHIFTCLI_WEIGHTS_URL", "SHIFTCLI_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHIFTCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return tmp_path / "cache" / "weights"


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """The pauses between attempts, which are not made."""
    made: list[float] = []
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """A folder with a network of each nucleus and their manifest; not to be changed."""
    folder = tmp_path_factory.mktemp("published")
    for nucleus in "HCNO":
        metadata = Metadata(nucleus, 30.0, 5.0, TINY, "frames", {"rmse": 1.5, "crystals": 9})
        save(folder / f"tiny-{nucleus}.safetensors", MR3DDenseNet(TINY), metadata)
    write_manifest(folder, default="tiny", data="made up", licence="none")
    return folder


@pytest.fixture
def package(tmp_path, published, monkeypatch) -> Path:
    """A package whose manifest names the model ``tiny``, which it does not hold."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "manifest.json").write_bytes((published / "manifest.json").read_bytes())
    for room in ("lookup", "inventory", "store"):
        monkeypatch.setattr(f"shiftcli.weights.{room}.packaged", lambda name: folder)
    return folder


@pytest.fixture
def copy(tmp_path, published) -> Path:
    """A copy of the published networks that a test may spoil."""
    return Path(shutil.copytree(published, tmp_path / "copy"))


@pytest.fixture(scope="session")
def spoil():
    """Changes the first entry of a folder's manifest, or all of it."""

    def change(folder: Path, whole: bool = False, **changes) -> None:
        path = folder / "manifest.json"
        values = json.loads(path.read_text())
        (values if whole else values["networks"][0]).update(changes)
        path.write_text(json.dumps(values))

    return change


@pytest.fixture(scope="session")
def flip():
    """Changes one bit of a file, that in its middle unless said otherwise."""

    def change(path: Path, bit: int | None = None) -> None:
        content = bytearray(path.read_bytes())
        bit = 4 * len(content) if bit is None else bit
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)

    return change


class Server:
    """Serves a folder, or does what it is told to in place of that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acts: dict[str, list[Callable]] = {}
        self.asked: list[str] = []
        played = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file = self.path.rsplit("/", 1)[-1]
                played.asked.append(self.path)
                path = played.folder / file
                acts = played.acts.get(file, [normal])
                act = acts.pop(0) if len(acts) > 1 else acts[0]
                try:
                    if path.is_file():
                        act(self, path.read_bytes())
                    else:
                        self.send_error(404)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *arguments) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def play(self, file: str, *acts: str | int) -> None:
        """Answer for a file by acts of these names or statuses, the last one ever after."""
        self.acts[file] = [_act(act) for act in acts]

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(published):
    made = Server(published)
    yield made
    made.close()


def answer(handler, status=200, **headers) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def normal(handler, content) -> None:
    answer(handler, Content_Length=len(content))
    handler.wfile.write(content)


def slow(handler, content) -> None:
    answer(handler, Content_Length=len(content))
    step = len(content) // 8 + 1
    for start in range(0, len(content), step):
        handler.wfile.write(content[start : start + step])
        time.sleep(0.02)


def without_length(handler, content) -> None:
    answer(handler)
    handler.wfile.write(content)


def silent(handler, content) -> None:
    answer(handler, Content_Length=len(content))
    handler.wfile.write(content[:100])
    time.sleep(0.5)


def dropped(handler, content) -> None:
    answer(handler, Content_Length=len(content))
    handler.wfile.write(content[: len(content) // 2])


def dropped_without_length(handler, content) -> None:
    answer(handler)
    handler.wfile.write(content[: len(content) // 2])


def shorter(handler, content) -> None:
    normal(handler, content[:-7])


def longer(handler, content) -> None:
    normal(handler, content + b"more")


def endless(handler, content) -> None:
    answer(handler)
    while True:
        handler.wfile.write(bytes(1 << 16))


def other(handler, content) -> None:
    normal(handler, content[:-1] + bytes([content[-1] ^ 1]))


def hang_up(handler, content) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _act(name):
    """A function above by its name, a status, or ``redirect TARGET``."""
    if isinstance(name, int):
        return lambda handler, content: handler.send_error(name)
    if not name.startswith("redirect"):
        return globals()[name]

    def redirect(handler, content) -> None:
        answer(handler, 302, Location=name.split()[1], Content_Length=0)

    return redirect
