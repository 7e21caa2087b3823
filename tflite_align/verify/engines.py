"""Interpreters of LiteRT and TFLM behind one interface. Imported in worker processes only.

Inputs have the graph input's own type; `output` returns real values, dequantized by the output's
per-tensor parameters if it has any.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import Record
from .kept_elements import kept_elements

__all__ = ["Engine", "InputSpec", "OverBudgetError", "native_words", "open_engine"]

Array = npt.NDArray[Any]

_RESOLVERS = {
    "litert": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "litert-ref": "BUILTIN_REF",
    "xnnpack": "AUTO",
}
_SMALLEST_ARENA = 16 << 20
_LARGEST_ARENA = 1 << 30  # bytes: largest arena of TFLM; a file that needs more is skipped
_ARENA_GROWS = 4  # factor by which an arena that was too small grows
# TFLM's message if its arena is too small.
_TOO_SMALL = re.compile(
    r"Failed to resize buffer|Arena size is too small|Failed to allocate memory"
)
_WANTED = re.compile(r"(?:Requested: |Needed )(\d+)")
_NAMED = 8  # largest number of nodes in a message


class OverBudgetError(Exception):
    """The model needs more memory than a judge may use, so that the judge is skipped."""


class InputSpec(Record, frozen=True, kw_only=True):
    """Type and shape of a graph input. `scale` is None if it is not quantized per tensor."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float | None
    zero_point: int

    def quantize(self, real: Array) -> Array:
        """Real values converted to this input's type: saturated, rounded half to even."""
        if self.scale is None or self.dtype.kind == "f":
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(real / self.scale) + self.zero_point
        clipped: Array = np.clip(steps, limits.min, limits.max)
        return clipped.astype(self.dtype)


class Engine:
    """One loaded model. `index`: of a graph input or output."""

    inputs: list[InputSpec]
    output_count: int

    def feed(self, index: int, value: Array) -> None:
        """Set graph input `index` to a value of the input's own type and shape."""
        raise NotImplementedError

    def invoke(self) -> None:
        """Run the model once. Raises RuntimeError if the runtime fails."""
        raise NotImplementedError

    def output(self, index: int) -> Array:
        """Real values of graph output `index` after the last invoke, in its shape."""
        raw, detail = self.raw_output(index)
        return _dequantized(raw, detail)

    def kept_output(self, index: int) -> Array:
        """Real values of graph output `index`, flat, float32: only the elements that are compared
        (kept_elements.py).
        """
        raw, detail = self.raw_output(index)
        chosen = kept_elements(raw.size)
        flat = raw.reshape(-1) if chosen is None else raw.reshape(-1)[chosen]
        return np.asarray(_dequantized(flat, detail), np.float32)

    def raw_output(self, index: int) -> tuple[Array, dict[str, Any]]:
        """(stored values of graph output `index`, the runtime's description of it)."""
        raise NotImplementedError

    def tensor(self, index: int) -> Array:
        """Stored values of tensor `index` of subgraph 0 (only with `keep`)."""
        raise NotImplementedError

    def facts(self) -> dict[str, str]:
        """Figures about the loaded model that the runtime reports, as texts by name; empty if it
        reports none.
        """
        return {}


def open_engine(model: str, kernels: str, *, threads: int, keep: bool = False) -> Engine:
    """Load a file and allocate its tensors. `kernels`: name of a kernel set; `keep`: all tensors
    can be read afterwards. Raises RuntimeError or ValueError if the runtime refuses it. `model`:
    the file's path; `threads`: number of threads.
    """
    if kernels == "tflm":
        return _Tflm(model)
    return _LiteRT(model, kernels, threads=threads, keep=keep)


def _spec(detail: dict[str, Any]) -> InputSpec:
    """The input that LiteRT describes by `detail`."""
    scale, zero_point = _parameters(detail)
    shape = tuple(int(size) for size in detail["shape"])
    return InputSpec(
        shape=shape, dtype=np.dtype(detail["dtype"]), scale=scale, zero_point=zero_point
    )


def _parameters(detail: dict[str, Any]) -> tuple[float | None, int]:
    """(scale, zero point) in a tensor's description; (None, 0) without exactly one nonzero scale.
    `detail`: the tensor's description by the runtime.
    """
    quant = detail["quantization_parameters"]
    scales, zero_points = np.atleast_1d(quant["scales"]), np.atleast_1d(quant["zero_points"])
    if len(scales) != 1 or float(scales[0]) == 0.0:
        return None, 0
    return float(scales[0]), int(zero_points[0]) if len(zero_points) else 0


def _dequantized(raw: Array, detail: dict[str, Any]) -> Array:
    """Real values of stored values; unchanged without per-tensor parameters. `raw`: the stored
    values. `detail`: the tensor's description by the runtime.
    """
    scale, zero_point = _parameters(detail)
    if scale is None or raw.dtype.kind not in "iu":
        return raw
    return (raw.astype(np.float64) - zero_point) * scale


class _LiteRT(Engine):
    """An Engine on LiteRT's interpreter."""

    def __init__(self, model: str, kernels: str, *, threads: int, keep: bool) -> None:
        module = _interpreter_module()
        self._kernels = kernels
        resolver = getattr(module.OpResolverType, _RESOLVERS[kernels])
        self._interpreter = module.Interpreter(
            model_path=model,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=keep,
        )
        self._interpreter.allocate_tensors()
        self._input_details = self._interpreter.get_input_details()
        self._output_details = self._interpreter.get_output_details()
        self.inputs = [_spec(detail) for detail in self._input_details]
        self.output_count = len(self._output_details)

    def feed(self, index: int, value: Array) -> None:
        """Set a graph input, given by its position. `value`: stored values."""
        self._interpreter.set_tensor(self._input_details[index]["index"], value)

    def invoke(self) -> None:
        """Run the model once."""
        self._interpreter.invoke()

    def raw_output(self, index: int) -> tuple[Array, dict[str, Any]]:
        """(stored values, description) of a graph output, given by its position."""
        detail = self._output_details[index]
        return self._interpreter.get_tensor(detail["index"]), detail

    def tensor(self, index: int) -> Array:
        """The stored values of the tensor with this index."""
        values: Array = self._interpreter.get_tensor(index)
        return values

    def facts(self) -> dict[str, str]:
        """How many operators of subgraph 0 a delegate runs; empty without a delegate."""
        if self._kernels != "xnnpack":
            return {}
        return _delegated(self._interpreter._get_ops_details())  # noqa: SLF001 - there is no public function for it


def _delegated(nodes: list[dict[str, Any]]) -> dict[str, str]:
    """How many operators a delegate runs, and the names of the others, as texts by name. A delegate
    node has replaced the operators between its outputs and its inputs.

    `nodes`: LiteRT's description of each node. The interpreter does not expose its execution plan,
    so the replaced operators are found by going back from each delegate node's outputs to its
    inputs, constants included.
    """
    listed = [node for node in nodes if node["op_name"] != "DELEGATE"]
    parts = nodes[len(listed) :]
    writer = {int(tensor): node for node in listed for tensor in node["outputs"]}
    replaced: set[int] = set()
    for part in parts:
        inputs = {int(tensor) for tensor in part["inputs"]}
        pending = [int(tensor) for tensor in part["outputs"]]
        while pending:
            tensor = pending.pop()
            node = writer.get(tensor)
            if tensor in inputs or node is None or int(node["index"]) in replaced:
                continue
            replaced.add(int(node["index"]))
            pending += [int(source) for source in node["inputs"]]
    facts = {
        "nodes delegated": f"{len(replaced)} of {len(listed)}",
        "partitions": str(len(parts)),
    }
    left = [
        f"{node['index']} {node['op_name']}"
        for node in listed
        if int(node["index"]) not in replaced
    ]
    if left and replaced:
        more = f", and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        facts["nodes left"] = ", ".join(left[:_NAMED]) + more
    return facts


def _interpreter_module() -> Any:
    """The module that has LiteRT's Interpreter: of ai-edge-litert, else of TensorFlow."""
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        import tensorflow as tf

        return _TensorFlow(tf)
    return interpreter


class _TensorFlow:
    """tf.lite, with the names of ai_edge_litert.interpreter."""

    def __init__(self, tf: Any) -> None:
        self.Interpreter = tf.lite.Interpreter
        self.OpResolverType = tf.lite.experimental.OpResolverType


class _Tflm(Engine):
    """An Engine on TFLM's interpreter."""

    def __init__(self, model: str) -> None:
        self._interpreter = _tflm_interpreter(Path(model).read_bytes())
        self.inputs = [_spec(d) for d in _details(self._interpreter.get_input_details)]
        self._output_details = _details(self._interpreter.get_output_details)
        self.output_count = len(self._output_details)

    def feed(self, index: int, value: Array) -> None:
        """Set a graph input, given by its position. `value`: stored values."""
        self._interpreter.set_input(np.ascontiguousarray(value), index)

    def invoke(self) -> None:
        """Run the model once."""
        if self._interpreter.invoke() != 0:
            raise RuntimeError("TFLM failed to invoke")

    def raw_output(self, index: int) -> tuple[Array, dict[str, Any]]:
        """(stored values, description) of a graph output, given by its position."""
        return self._interpreter.get_output(index), self._output_details[index]

    def facts(self) -> dict[str, str]:
        """Let TFLM print the arena size: it does so only on stderr, where the parent process reads
        it. Returns nothing.
        """
        self._interpreter.print_allocations()
        return {}


def _tflm_interpreter(data: bytes) -> Any:
    """A TFLM interpreter, with an arena that is enlarged until the model fits.

    Raises OverBudgetError if the arena would exceed the budget, RuntimeError if TFLM refuses the
    model.
    """
    from tflite_micro.python.tflite_micro import runtime

    arena = min(max(10 * len(data), _SMALLEST_ARENA), _LARGEST_ARENA)
    while True:
        before = len(native_words())
        try:
            return runtime.Interpreter.from_bytes(data, arena_size=arena)
        except RuntimeError:
            words = native_words()[before:]
            if not _TOO_SMALL.search(words):
                raise
            _within_budget(arena, [int(size) for size in _WANTED.findall(words)])
        arena = min(arena * _ARENA_GROWS, _LARGEST_ARENA)


def _within_budget(arena: int, sizes: list[int]) -> None:
    """Raise OverBudgetError if the next arena, larger than `arena` bytes, would exceed the budget.
    `sizes`: bytes that TFLM says are missing.
    """
    least = max(sizes, default=0)
    if arena >= _LARGEST_ARENA or least > _LARGEST_ARENA:
        needed = f"{least} bytes" if least > arena else f"more than {arena} bytes"
        raise OverBudgetError(
            f"memory: TFLM's arena would be {needed}, and may be {_LARGEST_ARENA}"
        )


def native_words() -> str:
    """The log that this process has written so far; TFLM gives its reasons only there."""
    sys.stderr.flush()
    log = Path("log.txt")
    return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""


def _details(read: Any) -> list[dict[str, Any]]:
    """Descriptions of TFLM's inputs or outputs. TFLM has no count of them: `read` is called with 0,
    1, ... until it refuses an index.
    """
    details: list[dict[str, Any]] = []
    while True:
        try:
            details.append(read(len(details)))
        except (IndexError, ValueError, RuntimeError):
            return details
