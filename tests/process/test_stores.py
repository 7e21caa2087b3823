"""Models in remote stores, by fsspec URL: read, written, listed, recorded, reported.

S3 is simulated by moto's server; other remote stores are not tested.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_folder import MODELS, lines, put, tree
from tests.support.models import concat_example
from tflite_align.cli import main as cli
from tflite_align.errors import UsageError
from tflite_align.store import LocalPool, run
from tflite_align.store.urls import is_url, shown
from tflite_align.store.whole_files import join, names_below, read, write

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed (extra `store`)")
FAST = "--no-verify"
SECRET = "hunter2secret"  # noqa: S105 - nothing opens with it


def fill_store(url: str) -> None:
    for path in MODELS:
        write(join(url, path), [Path("zoo", path).read_bytes()])
    write(join(url, "notes.txt"), [b"no model"])


def below(url: str) -> dict[str, bytes]:
    names = sorted(names_below(url, ".tflite"))
    return {name: bytes(read(join(url, name))) for name in names}


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = pytest.importorskip("moto.server", reason="moto is not installed (extra `test`)")
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra `store`)")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch, zoo_folder: Path) -> str:
    """A bucket with the models of `zoo`; credentials are in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"zoo-{os.urandom(4).hex()}"
    fsspec.filesystem("s3").mkdir(bucket)
    fill_store(f"s3://{bucket}/models")
    return f"s3://{bucket}"


@pytest.fixture
def memory(zoo_folder: Path) -> Iterator[str]:
    fill_store("memory://zoo")
    yield "memory://zoo"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def zipped(zoo_folder: Path) -> str:
    with zipfile.ZipFile("zoo.zip", "w") as archive:
        for path in MODELS:
            archive.write(f"zoo/{path}", path)
    return f"zip://::{zoo_folder}/zoo.zip"


def test_a_check_reads_from_a_bucket(s3: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "zoo", "-q", "--report", "here.jsonl"]) == 1
    command = ["check", f"{s3}/models", "-q", "--report", f"{s3}/r.jsonl", "--report", "r.jsonl"]
    assert cli.main(command) == 1
    assert read(f"{s3}/r.jsonl") == Path("r.jsonl").read_bytes()
    there, here = lines("r.jsonl"), lines("here.jsonl")
    assert [line["path"] for line in there] == MODELS
    for one, two in zip(there, here, strict=True):
        assert one["report"].pop("name") == f"{s3}/models/{one['path']}"
        del two["report"]["name"]
        assert one.pop("message").endswith(two.pop("message").removeprefix("zoo/"))
        assert {**one, "seconds": 0} == {**two, "seconds": 0}
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err + Path("r.jsonl").read_text()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_models_go_from_a_bucket_to_a_bucket(
    s3: str, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["zoo", "out", FAST, "-q"]) == 0
    command = [f"{s3}/models", f"{s3}/aligned", FAST, "--jobs", jobs, "--report", "r.jsonl"]
    assert cli.main(command) == 0
    assert below(f"{s3}/aligned") == tree("out")
    assert capsys.readouterr().out.splitlines()[-1].endswith(f" -> {s3}/aligned")
    assert cli.main(command) == 0
    assert [line["resumed"] for line in lines("r.jsonl")] == [True, True, True]
    fsspec.filesystem("s3").rm(f"{s3}/aligned/a.tflite")
    assert cli.main(command) == 0
    assert [line["resumed"] for line in lines("r.jsonl")] == [False, True, True]
    capsys.readouterr()
    assert cli.main([s3, f"{s3}/aligned", FAST, "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3, "what lies in OUT is no input"


def test_one_model_and_its_reports_may_be_urls(s3: str) -> None:
    out, report = f"{s3}/one.tflite", f"{s3}/one.json"
    assert cli.main([f"{s3}/models/a.tflite", out, FAST, "-q", "--report", report]) == 0
    assert cli.main(["zoo/a.tflite", "one.tflite", FAST, "-q"]) == 0
    assert read(out) == Path("one.tflite").read_bytes()
    assert json.loads(read(report))["name"] == f"{s3}/models/a.tflite"


def test_records_and_shards_work_in_a_bucket(s3: str) -> None:
    command = ["check", f"{s3}/models", "-q", "--record", f"{s3}/done"]
    for number in (1, 2):
        shard = ["--shard", f"{number}/2", "--report", f"{s3}/{number}.jsonl"]
        assert cli.main([*command, *shard]) in (0, 1)
    assert cli.main([*command, "--report", "r.jsonl"]) == 1
    assert [line["resumed"] for line in lines("r.jsonl")] == [True, True, True]
    merge = ["report", "merge", f"{s3}/1.jsonl", f"{s3}/2.jsonl", "-q", "--report", "m.jsonl"]
    assert cli.main(merge) == 1
    same = [{**line, "resumed": True} for line in lines("m.jsonl")]
    assert same == lines("r.jsonl")


def test_patterns_and_lists_name_objects(s3: str, capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*arguments: str) -> list[str]:
        assert cli.main(["check", *arguments, "--list"]) == 0
        return capsys.readouterr().out.splitlines()

    assert listed(f"{s3}/models/*.tflite") == [
        f"{s3}/models/a.tflite",
        f"{s3}/models/good.tflite",
    ]
    assert len(listed(f"{s3}/models/**/*.tflite")) == 3
    put("names.txt", f"# two\n{s3}/models/a.tflite\n\nzoo/good.tflite\n".encode())
    assert listed("--files-from", "names.txt") == [f"{s3}/models/a.tflite", "zoo/good.tflite"]
    write(f"{s3}/names.txt", [b"zoo/a.tflite\n"])
    assert listed("--files-from", f"{s3}/names.txt") == ["zoo/a.tflite"]
    put("below.txt", b"deep/er/c.tflite\n")
    assert cli.main([f"{s3}/models", "out", "--files-from", "below.txt", "--list"]) == 0
    assert capsys.readouterr().out.split() == [
        f"{s3}/models/deep/er/c.tflite",
        "->",
        str(Path("out/deep/er/c.tflite")),
    ]


def test_a_missing_object_is_an_error(s3: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", f"{s3}/nothing.tflite"]) == 2
    assert capsys.readouterr().err == (
        f"tflite_align: {s3}/nothing.tflite: No such file or directory\n"
    )
    assert cli.main(["s3://no-such-bucket-here/models", "out"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    write(f"{s3}/bad/bad.tflite", [b"no model"])
    assert cli.main(["check", f"{s3}/bad", "-q"]) == 2
    assert f"{s3}/bad/bad.tflite: byte 4: " in capsys.readouterr().err


def test_an_archive_is_read(zipped: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["zoo", "out", FAST, "-q"]) == 0
    assert cli.main([zipped, "from_zip", FAST, "-q", "--jobs", "2"]) == 0
    assert tree("from_zip") == tree("out")
    capsys.readouterr()
    assert cli.main(["check", zipped.replace("zip://", "zip://deep/er/c.tflite"), "-q"]) == 1
    assert cli.main(["zoo", zipped, FAST]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"tflite_align: {zipped}: this URL cannot be written: give a folder or an object store"
    )


def test_a_memory_url_is_refused_with_several_processes(memory: str) -> None:
    found = list(run("align", memory, "memory://out", no_verify()))
    assert [result.line.exit_status for result in found] == [0, 0, 0]
    assert sorted(below("memory://out")) == MODELS
    again = list(run("align", memory, "memory://out", no_verify()))
    assert [result.line.resumed for result in again] == [True, True, True]
    with (
        LocalPool(2) as pool,
        pytest.raises(UsageError, match="memory:// exists only in this process"),
    ):
        list(run("align", memory, "memory://out", no_verify(), executor=pool))


def no_verify() -> Any:
    from tflite_align import AlignOptions

    return AlignOptions(verify=False)


def test_a_file_url_is_a_path(zoo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["zoo", "out", FAST, "-q"]) == 0
    assert cli.main([f"file://{zoo_folder}/zoo", f"file://{zoo_folder}/two", FAST, "-q"]) == 0
    assert tree("two") == tree("out")
    assert cli.main(["check", f"file://{zoo_folder}/zoo/*.tflite", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_objects_are_written_completely_or_not_at_all(zoo_folder: Path) -> None:
    """`local://` plays a store in which half-written objects are visible: each is written under
    another name and then renamed.
    """
    place = f"local://{zoo_folder}/out"
    assert cli.main(["zoo", place, FAST, "-q"]) == 0
    assert sorted(name for name in tree("out")) == MODELS


# --- credentials --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown_name"),
    [
        ("s3://bucket/a.tflite", "s3://bucket/a.tflite"),
        (f"ftp://me:{SECRET}@host/a.tflite", "ftp://***@host/a.tflite"),
        (f"https://host/a.tflite?X-Amz-Signature={SECRET}&b=c", "https://host/a.tflite?***"),
        (f"zip://a::https://me:{SECRET}@host/b.zip", "zip://a::https://***@host/b.zip"),
        ("s3://bucket/mod?l-*.tflite", "s3://bucket/mod?l-*.tflite"),
        ("C:\\models\\a@b.tflite", "C:\\models\\a@b.tflite"),
    ],
)
def test_credentials_of_a_name_are_not_shown(name: str, shown_name: str) -> None:
    assert shown(name) == shown_name


@pytest.mark.promise("Credentials in a URL are in no message and in no report.")
def test_credentials_are_in_no_message_and_no_report(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store's library fails with its own message, since no server listens at the address."""
    names = [
        f"http://me:{SECRET}@127.0.0.1:9/a.tflite",
        f"http://127.0.0.1:9/b.tflite?sig={SECRET}",
        f"ftp://me:{SECRET}@127.0.0.1:9/c.tflite",
    ]
    for name in names:
        reports = [part for end in ("jsonl", "json", "txt") for part in ("--report", f"r.{end}")]
        assert cli.main(["check", name, *reports]) == 2
        said = capsys.readouterr()
        written = "".join(path.read_text() for path in Path.cwd().glob("r.*"))
        assert SECRET not in said.out + said.err + written
        assert "***" in said.err
        assert said.err.count("\n") == 1
        assert cli.main([name, "out.tflite"]) == 2
        assert SECRET not in capsys.readouterr().err


def test_an_unknown_store_is_an_error(zoo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "nosuch://bucket/a.tflite"]) == 2
    assert "Protocol not known: nosuch" in capsys.readouterr().err
    assert is_url("nosuch://bucket")


def test_a_url_without_the_library_says_what_to_install(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    assert cli.main(["check", "s3://bucket/a.tflite"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: s3://bucket/a.tflite: a URL needs the extra `store`:"
        " pip install 'tflite-align[store]'\n"
    )


def test_an_untrusted_configuration_cannot_name_a_store(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The configuration of an untrusted folder must not make a run write to a remote store."""
    put("tflite-align.toml", b'report = ["memory://theirs/r.json"]\n')
    assert cli.main(["check", "zoo/a.tflite"]) == 2
    assert "report memory://theirs/r.json lies outside the file's own folder" in (
        capsys.readouterr().err
    )


def test_a_baseline_knows_models_of_a_store(memory: str) -> None:
    assert cli.main(["check", memory, "-q", "--write-baseline", "b.json"]) == 0
    assert cli.main(["check", memory, "-q", "--baseline", "b.json"]) == 0
    put("zoo/x.tflite", concat_example())
