"""Wrong arguments of the Python API raise an AlignError whose message names the argument."""

from __future__ import annotations

import io
import json
import mmap
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tflite_align
from tests.support.models import concat_example
from tflite_align import (
    AlignError,
    AlignOptions,
    AlignResult,
    UsageError,
    align,
    check,
    convert_and_align,
    explain,
    load_target,
)

MODEL = concat_example(second=0.2, out=0.1)


@pytest.fixture(scope="module")
def result() -> AlignResult:
    return align(MODEL, verify=False)


# --- sources --------------------------------------------------------------------------------------


def _closed(path: Path) -> Any:
    file = path.open("rb")
    file.close()
    return file


def _closed_map(path: Path) -> Any:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    mapped.close()
    return mapped


def _released(path: Path) -> Any:
    view = memoryview(path.read_bytes())
    view.release()
    return view


def _read_before(path: Path) -> Any:
    stream = io.BytesIO(path.read_bytes())
    stream.read()
    return stream


def _write_only(path: Path) -> Any:
    return io.FileIO(str(path.with_name("out")), "w")


SOURCES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "closed file": (_closed, "source: the file is closed"),
    "closed map": (_closed_map, "source: found a value of type mmap that is closed"),
    "released view": (_released, "source: found a value of type memoryview that is closed"),
    "read before": (_read_before, "source: the file was read to its end before; seek(0) goes back"),
    "write only": (
        _write_only,
        "source: the file is not open for reading; open it with mode 'rb'",
    ),
    "gaps": (
        lambda path: memoryview(path.read_bytes())[::2],
        "source: expected a contiguous buffer of bytes; found a value of type memoryview with gaps",
    ),
    "no path": (lambda _: "", "source: the path is empty"),
    "result": (
        lambda path: align(path, verify=False),
        "source: found an AlignResult; the aligned model is its `data`",
    ),
}


@pytest.mark.parametrize("form", SOURCES)
def test_a_source_that_cannot_be_read_is_named(form: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(MODEL)
    make, sentence = SOURCES[form]
    source = make(path)
    with pytest.raises(UsageError) as caught:
        check(source)
    assert str(caught.value) == sentence
    if isinstance(source, io.IOBase):
        source.close()


def test_a_name_may_be_a_path(tmp_path: Path) -> None:
    path: Any = tmp_path / "net.tflite"
    assert check(MODEL, name=path).name == str(path)


WORDS: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (align, {"name": 3}, "name: expected a text, found a value of type int"),
    (check, {"name": 3}, "name: expected a text, found a value of type int"),
    (
        align,
        {"progress": 3},
        "progress: expected a function of (stage, fraction), found a value of type int",
    ),
    (align, {"judges": "nope"}, "no judge named 'nope'; there are litert"),
    (align, {"require": "number", "verify": False}, "no judge named 'number'; there are litert"),
    (check, {"options": AlignOptions}, "options: expected AlignOptions, found the class AlignOpt"),
]


@pytest.mark.parametrize(("job", "words", "sentence"), WORDS)
def test_values_of_the_wrong_type_are_named(
    job: Callable[..., Any], words: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        job(MODEL, **words)
    assert str(caught.value).startswith(sentence)


# --- explain --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (1.5, "found a value of type float"),
        (True, "found a value of type bool"),
        (b"x", "found a value of type bytes"),
        (AlignOptions(), "found a value of type AlignOptions (options come third)"),
        ("operator[2]", "operator[2]: expected one of its operands: operator[2]/inputs[0]"),
    ],
)
def test_a_malformed_place_is_named(place: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(MODEL, place)
    assert str(caught.value).endswith(sentence)


# --- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [3, None, b"x", io.BytesIO(), "", "a\0b"])
def test_a_result_is_saved_to_paths_alone(result: AlignResult, path: Any) -> None:
    with pytest.raises(UsageError, match=r"^path: "):
        result.save(path)


def test_results_travel_between_processes(result: AlignResult) -> None:
    there = pickle.loads(pickle.dumps(result))  # noqa: S301 - what was pickled here
    assert there.data == result.data
    assert there.report == result.report


RENDERERS = [name for name in tflite_align.__all__ if name.startswith("render_")]


@pytest.mark.parametrize("name", RENDERERS)
def test_renderers_take_one_report_or_several(result: AlignResult, name: str) -> None:
    render = getattr(tflite_align, name)
    one, several = render(result.report), render([result.report])
    assert one == several or json.loads(several)["reports"] == [result.report.to_dict()]
    for wrong in ("x", 3, None, [3]):
        with pytest.raises(UsageError, match=r"^reports: expected reports, found "):
            render(wrong)


def test_data_frames_without_rows_have_their_columns(result: AlignResult) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: the extra `dataframe` has it")
    full = result.report.to_dataframe
    empty = check(result.data).to_dataframe
    for table in ("findings", "changes"):
        assert list(empty(table)) == list(full(table))
    assert list(empty("remaining")) == list(full("findings"))
    assert "declared_aligned_db" in empty("outputs")


def test_data_frames_need_pandas(result: AlignResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="a data frame needs pandas: pip install pandas"):
        result.report.to_dataframe()


def test_a_target_is_loaded_by_its_name_only() -> None:
    wrong: Any = 3
    with pytest.raises(UsageError, match="target: expected a name, found a value of type int"):
        load_target(wrong)


def test_every_public_name_has_a_docstring() -> None:
    # `Progress` and similar names are aliases of built-in types, without docstring.
    ours = [getattr(tflite_align, name) for name in tflite_align.__all__]
    bare = [one for one in ours if getattr(one, "__module__", "").startswith("tflite_align")]
    assert [one.__name__ for one in bare if not (one.__doc__ or "").strip()] == []


# --- converters -----------------------------------------------------------------------------------


class _Network:
    """Like a PyTorch or Keras model: callable, but no converter."""

    def state_dict(self) -> None: ...

    def __call__(self, _: str) -> None:
        raise RuntimeError("conv2d() received an invalid combination of arguments")


def _gives_up(folder: str) -> None:
    raise SystemExit(1)


CONVERTERS: list[tuple[Any, str]] = [
    (_Network(), "converter: found a network of type _Network; expected a converter of it"),
    (types.ModuleType("onnx2tf"), "converter: found the module onnx2tf; expected a function"),
    (_gives_up, "converter: it ended the process with exit status 1; its output above says why"),
    ("net.onnx", "converter: expected one with convert(), a model with export() or a function"),
]


@pytest.mark.parametrize(("converter", "sentence"), CONVERTERS)
def test_an_object_that_is_no_converter_is_named(converter: Any, sentence: str) -> None:
    with pytest.raises(AlignError) as caught:
        convert_and_align(converter)
    assert str(caught.value).startswith(sentence)


def test_reports_are_no_sources(result: AlignResult) -> None:
    report: Any = result.report
    with pytest.raises(UsageError, match="found a value of type Report"):
        align(report)
