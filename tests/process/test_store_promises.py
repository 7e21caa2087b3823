"""The promises of docs/security.md on URLs, archives and workers."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.model_folder import put, tree
from tflite_align.cli import main as cli

pytest.importorskip("fsspec", reason="fsspec is not installed (extra `store`)")


class Requests(SimpleHTTPRequestHandler):
    """A server for a folder that records the requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - the base class's
        self.server.requested.append(args[0])  # type: ignore[attr-defined]


class Server(ThreadingHTTPServer):
    requested: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server(zoo_folder: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), partial(Requests, directory=str(zoo_folder / "zoo"))) as made:
        made.requested = []
        thread = Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def archive(path: str, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as written:
        for name, data in members.items():
            written.writestr(name, data)


@pytest.mark.promise(
    "A URL (`s3://bucket/a.tflite`, `zip://::models.zip`) is opened by fsspec and the store's own"
    " library, which contacts other machines: only the command line and the list of `--files-from` can"
    " name one."
)
@pytest.mark.promise("Text in a model or in a configuration file is never used as a URL.")
@pytest.mark.parametrize("key", ["baseline", "calibration", "report", "vela-config"])
def test_a_configuration_opens_no_url(key: str, server: Server) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: fsspec needs it for http")
    value = f'["{server.url}/r.json"]' if key == "report" else f'"{server.url}/r.json"'
    put("tflite-align.toml", f"{key} = {value}\n".encode())
    for command in (["check", "zoo/a.tflite"], ["zoo/a.tflite", "out.tflite", "--no-verify"]):
        assert cli.main([*command, "-q", "--trust-config"]) in (0, 1, 2)
    assert server.requested == []
    Path("tflite-align.toml").unlink()
    assert cli.main(["check", f"{server.url}/good.tflite", "-q"]) == 0
    put("list.txt", f"{server.url}/good.tflite\n".encode())
    assert cli.main(["check", "--files-from", "list.txt", "-q"]) == 0
    assert server.requested


@pytest.mark.promise(
    "A chain of URLs opens everything in it: `zip://::https://host/a.zip` is fetched "
    "from that host."
)
def test_a_chained_url_requests_the_archive_that_it_names(server: Server) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: fsspec needs it for http")
    archive("zoo/models.zip", **{"a.tflite": Path("zoo/good.tflite").read_bytes()})
    assert cli.main(["check", f"zip://a.tflite::{server.url}/models.zip", "-q"]) == 2  # no ranges
    assert any("models.zip" in line for line in server.requested)


@pytest.mark.promise(
    "Object names in a store or an archive cannot lead out of OUT: a name with `..` in it is refused"
    " before anything is written."
)
@pytest.mark.parametrize("out", ["deep/er/out", "memory://bucket/out"])
@pytest.mark.parametrize("name", ["../../evil.tflite", "x/../../evil.tflite"])
def test_names_in_an_archive_lead_nowhere(
    zoo_folder: Path, name: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path("zoo/a.tflite").read_bytes()
    archive("models.zip", **{"good.tflite": data, name: data})
    before = tree(".")
    assert cli.main(["zip://::models.zip", out, "--no-verify", "-q"]) == 2
    said = capsys.readouterr().err
    assert "evil.tflite::models.zip: its name leads outside" in said
    assert said.count("\n") == 1
    assert tree(".") == before


@pytest.mark.promise("`--executor` can be given only on the command line.")
@pytest.mark.parametrize("key", ["executor", "files-from", "record"])
def test_a_configuration_names_no_scheduler(
    zoo_folder: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put("tflite-align.toml", f"{key} = 'dask:tcp://127.0.0.1:9'\n".encode())
    assert cli.main(["check", "zoo", "-q", "--trust-config"]) == 2
    assert f"unknown key '{key}'" in capsys.readouterr().err
