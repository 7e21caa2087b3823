"""Runs a folder of models: `python kernel_runner.py litert|litert-ref|xnnpack|tflm FOLDER`.

For each NAME.tflite with NAME.npz (inputs i0, i1, ...) it writes NAME.out.npz (outputs o0, o1, ...)
or NAME.error with the runtime's message. The models run in a child process that is forked after the
runtime was imported, with limits of memory and time. The name of each model is written to `current`
before it is run. If a model crashes the child, its error is "ABORTED" and the exit status, and
another child continues with the next model.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np


def _litert(data: bytes, inputs: list[Any], resolver: str) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType[resolver]
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def _tflm(data: bytes, inputs: list[Any]) -> list[Any]:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(data, arena_size=_ARENA)
    for i, value in enumerate(inputs):
        interpreter.set_input(value, i)
    interpreter.invoke()
    outputs: list[Any] = []
    while True:
        try:
            outputs.append(np.array(interpreter.get_output(len(outputs))))
        except (IndexError, RuntimeError):
            return outputs


def _run(runtime: str, data: bytes, inputs: list[Any]) -> list[Any]:
    if runtime == "tflm":
        return _tflm(data, inputs)
    return _litert(data, inputs, _RESOLVERS[runtime])


_RESOLVERS = {
    "litert": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "litert-ref": "BUILTIN_REF",
    "xnnpack": "AUTO",
}

_MEMORY = 6 << 30  # bytes of address space
_ARENA = 4 << 20  # bytes; the size guessed by the binding may be too small
_SECONDS = 5  # processor seconds for one model, independent of the machine's load
_WAITING = 120  # seconds of wall time for one model
_MODULES = {"tflm": "tflite_micro.python.tflite_micro.runtime"}


def main(runtime: str, folder: Path) -> None:
    importlib.import_module(_MODULES.get(runtime, "ai_edge_litert.interpreter"))
    while True:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            _run_all(runtime, folder)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        culprit = (folder / "current").read_text(encoding="utf-8")
        (folder / f"{culprit}.error").write_text(f"ABORTED {status}", encoding="utf-8")


def _run_all(runtime: str, folder: Path) -> None:
    for path in sorted(folder.glob("*.tflite")):
        name = path.name.removesuffix(".tflite")
        done, failed = folder / f"{name}.out.npz", folder / f"{name}.error"
        if done.exists() or failed.exists():
            continue
        (folder / "current").write_text(name, encoding="utf-8")
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        signal.alarm(_WAITING)
        with np.load(folder / f"{name}.npz") as stored:
            inputs = [stored[f"i{i}"] for i in range(len(stored.files))]
        try:
            outputs = _run(runtime, path.read_bytes(), inputs)
        except Exception as error:  # noqa: BLE001 - whatever a runtime raises is its verdict
            failed.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
            continue
        np.savez(done, **{f"o{i}": _storable(value) for i, value in enumerate(outputs)})


def _storable(value: Any) -> Any:
    """Arrays that .npz can store: string tensors come as objects."""
    return value.astype(bytes) if value.dtype == object else value


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
