"""The list of models that folders, patterns and names select."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from ..disk import check_folder
from ..errors import UsageError
from ..record import Record
from ..rules.wildcards import check_pattern
from .named_errors import about
from .urls import check_writable, is_url, local_path, looks_like_url, shown
from .whole_files import is_folder, is_there, join, names_below

__all__ = ["RECORD", "STREAM", "ModelFile", "models_of", "pairs"]

# Folder in the output folder with the record of finished work: one file for each finished chunk.
RECORD = ".tflite_align"
STREAM = "-"  # stdin or stdout
_MODEL = ".tflite"


class ModelFile(Record, frozen=True, kw_only=True):
    """A model and the destination of its aligned file, "" for none.

    `path`: the path below the input folder and below the output folder, with `/`. `why`: the reason
    if the source is no file, else "".
    """

    path: str
    source: str
    out: str = ""
    why: str = ""

    @property
    def name(self) -> str:
        """The source without secrets, for messages."""
        return shown(self.source)


# --- to be read -------------------------------------------------------------------------------


def models_of(sources: Sequence[str]) -> Iterator[ModelFile]:
    """Every selected model, once; a source that selects none is an entry with `why`.

    A folder selects the .tflite files below it; a name with wildcards that is no file is a pattern.
    `path` is relative to the folder if that is the only source, else the name on the command line.
    """
    listed_names = set()
    for source in sources:
        names = _meant(source)
        below = len(sources) == 1
        if not names:
            reason = "no .tflite file in the folder" if _is_folder(source) else "matches no file"
            yield ModelFile(path=shown(source), source=source, why=reason)
        for path, name in names:
            real_path = name if is_url(name) else os.path.realpath(local_path(name))
            if real_path not in listed_names:
                listed_names.add(real_path)
                yield ModelFile(path=path if below else shown(name), source=name)


def _is_folder(source: str) -> bool:
    """Whether a source is a folder."""
    return source != STREAM and is_folder(source)


def _meant(source: str) -> list[tuple[str, str]]:
    """(path relative to the source, name) of each selected model."""
    if source == STREAM:
        return [(source, source)]
    if _is_folder(source):
        return [(path, join(source, path)) for path in sorted(names_below(source, _MODEL))]
    if not glob.has_magic(source) or is_there(source):
        return [(shown(source), source)]
    check_pattern(source)
    if not is_url(source):
        names = sorted(glob.glob(local_path(source), recursive=True))  # noqa: PTH207 - absolute patterns too
        return [(PurePath(name).as_posix(), name) for name in names if not Path(name).is_dir()]
    from .remote_files import matching  # noqa: PLC0415 - the library of stores is an extra

    return sorted(matching(source))


# --- to be read and written ---------------------------------------------------------------------


def pairs(source: str, out: str, listed: Sequence[str] | None = None) -> tuple[ModelFile, ...]:
    """Every model below the folder `source` with its destination below `out`, sorted by path;
    models in `out` are left out.

    `listed`: selects models by their paths below the folder or by their full names. Raises
    UsageError or Failure for folders that cannot be read or written, and for a model that would
    overwrite an input, another output, or a file outside `out` through a link.
    """
    if out == STREAM:
        address = shown(source)
        raise UsageError(
            f"{address} is a folder: its models go to a folder, not to standard output"
        )
    local = not is_url(source) and not is_url(out)
    if source.rstrip("/") == out.rstrip("/") or (
        local and os.path.realpath(local_path(source)) == os.path.realpath(local_path(out))
    ):
        raise UsageError(
            f"{shown(out)}: IN and OUT are the same folder; choose another OUT, so that the originals stay"
        )
    if is_url(out):
        check_writable(out)
    else:
        with about(out):
            check_folder(local_path(out))
    with about(shown(source)):
        files = tuple(_found(source, out) if listed is None else _listed(source, out, listed))
    if not files:
        none = (
            "no .tflite file in the folder"
            if listed is None
            else "none of its models is in the list"
        )
        raise UsageError(f"{shown(source)}: {none}")
    for pair in files:
        if ".." in PurePosixPath(pair.path).parts:
            raise UsageError(
                f"{shown(pair.source)}: its name leads outside {shown(out)}; rename it"
            )
    if local:
        _apart(files)
    if not is_url(out):
        _inside(files, out)
    return files


def _found(source: str, out: str) -> Iterator[ModelFile]:
    """All models below a folder, without those in OUT. `source`: IN."""
    # An output folder inside the input folder holds results, not inputs.
    within = _below(source, out)
    for path in sorted(names_below(source, _MODEL)):
        if within and _lies_in(path, source, out, within):
            continue
        yield ModelFile(path=path, source=join(source, path), out=join(out, path))


def _listed(source: str, out: str, listed: Sequence[str]) -> Iterator[ModelFile]:
    """The models that a list names. Raises UsageError for one outside the folder. `source`: IN.
    `listed`: the names.
    """
    head = source.rstrip("/") + "/"
    for path in sorted({name.removeprefix(head) for name in listed}):
        if looks_like_url(path) or PurePath(path).is_absolute() or ".." in PurePath(path).parts:
            raise UsageError(f"{shown(path)}: listed, but not inside of {shown(source)}: remove it")
        yield ModelFile(path=path, source=join(source, path), out=join(out, path))


def _below(source: str, out: str) -> str:
    """The path of OUT relative to IN, with `/`; "" where OUT is not inside IN. `source`: IN."""
    if is_url(source) or is_url(out):
        head = source.rstrip("/") + "/"
        return out.removeprefix(head).rstrip("/") + "/" if out.startswith(head) else ""
    source_path, out_path = (
        Path(os.path.realpath(local_path(source))),
        Path(os.path.realpath(local_path(out))),
    )
    return (
        out_path.relative_to(source_path).as_posix() if out_path.is_relative_to(source_path) else ""
    )


def _lies_in(path: str, source: str, out: str, within: str) -> bool:
    """Whether a model below the input folder is in OUT. `within`: OUT relative to it. `source`: IN."""
    if is_url(source):
        return path.startswith(within)
    parent = Path(os.path.realpath(Path(local_path(source), path).parent))
    return parent.is_relative_to(os.path.realpath(local_path(out)))


def _apart(pairs: tuple[ModelFile, ...]) -> None:
    """Raise UsageError if an output would overwrite an input or another output. `pairs`: inputs
    with their outputs.
    """
    read = {os.path.realpath(local_path(pair.source)): pair.source for pair in pairs}
    written: dict[str, str] = {}
    for pair in pairs:
        path = os.path.realpath(local_path(pair.out))
        if path in read:
            raise UsageError(f"{pair.out}: would overwrite {read[path]}, which is read")
        if path in written:
            raise UsageError(
                f"{pair.out}: two models would be written to one path: {written[path]} too"
            )
        written[path] = pair.out


def _inside(pairs: tuple[ModelFile, ...], out: str) -> None:
    """Raise UsageError if a link would lead an output out of OUT. `pairs`: inputs with their
    outputs.
    """
    out_path = os.path.realpath(local_path(out))
    for path in (*(pair.out for pair in pairs), join(out, RECORD)):
        if not Path(os.path.realpath(local_path(path))).is_relative_to(out_path):
            raise UsageError(f"{path}: a symbolic link leads outside {out}; remove the link")
