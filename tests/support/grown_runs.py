"""Outputs of LiteRT's builtin kernels compared with NumPy computations on the same integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as fb

from tflite_align.record import Record

from .numpy_models import LIMITS, NumpyModel, Reading, affine, integers, reals, type_name
from .numpy_operators import COPIES, FUNCTIONS, operator_name

__all__ = ["KINDS", "Loss", "feeds", "losses", "steps_off"]

_KERNELS = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
_NEGLIGIBLE = 10**-7.5  # noise power over signal power that is ignored
_FEW, _MANY = 16, 160  # number of samples
_SUSPECT_DB = 0.5
_KERNELS_DB = 2.0  # dB that integer kernels may lose, minus _SUSPECT_DB
_CHANCE = 0.001  # quantile of the resampled results: one in a thousand is below
_RESAMPLES = 2000
Draw = Callable[[np.random.Generator, float, float, list[int]], Any]


def _sparse(rng: np.random.Generator, low: float, high: float, shape: list[int]) -> Any:
    return np.where(rng.random(shape) < 0.1, rng.uniform(low, high, shape), 0.0)


# Kind of samples -> how values of a graph input are drawn from its declared range.
KINDS: Mapping[str, Draw] = {
    "whole range": lambda rng, low, high, shape: rng.uniform(low, high, shape),
    "its middle": lambda rng, low, high, shape: rng.uniform(low / 2, high / 2, shape),
    "normal": lambda rng, low, high, shape: rng.normal(0, (high - low) / 12, shape),
    "sparse": _sparse,
}


def feeds(model: Any, kind: str, rng: np.random.Generator) -> list[Any]:
    """One sample of real values for each graph input, exactly representable by its integers.
    `kind`: kind of samples.
    """
    graph, found = model.subgraphs[0], []
    for tensor in (graph.tensors[index] for index in graph.inputs):
        shape, limits = list(tensor.shape), LIMITS.get(type_name(tensor))
        if limits is None:
            found.append(rng.random(shape) < 0.5)
            continue
        low, high = (float(reals(tensor, limit)) for limit in limits)
        found.append(reals(tensor, _raw(tensor, KINDS[kind](rng, low, high, shape))))
    return found


def _raw(tensor: Any, values: Any) -> Any:
    return np.clip(np.rint(integers(tensor, values)), *LIMITS[type_name(tensor)])


class _Run:
    """A file prepared by the builtin kernels with all tensors of the main subgraph kept."""

    def __init__(self, data: bytes) -> None:
        self.model = fb.ModelT.InitFromPackedBuf(data, 0)
        self.graph = self.model.subgraphs[0]
        self.interpreter = litert.Interpreter(
            model_content=data,
            experimental_op_resolver_type=_KERNELS,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self.interpreter.allocate_tensors()

    def run(self, given: list[Any]) -> None:
        for index, values in zip(self.graph.inputs, given, strict=True):
            tensor = self.graph.tensors[index]
            raw = values if type_name(tensor) == "bool" else _raw(tensor, values)
            self.interpreter.set_tensor(index, raw.astype(type_name(tensor)))
        self.interpreter.invoke()

    def real(self, index: int) -> Any:
        if index < 0:
            return None
        return reals(self.graph.tensors[index], self.interpreter.get_tensor(index))


def steps_off(data: bytes, seed: int) -> Iterator[tuple[str, str, float, float]]:
    """For each operator of the main subgraph: name, type, largest error of its output in LSB, and
    the limit.

    The error is relative to the exact result for the integers that it read. Operators that call
    subgraphs are left out.
    """
    run = _Run(data)
    for number, kind in enumerate(KINDS):
        run.run(feeds(run.model, kind, np.random.default_rng([seed, number])))
        for operator in run.graph.operators:
            name = operator_name(run.model, operator)
            if name not in FUNCTIONS:
                continue
            exact = FUNCTIONS[name]([run.real(i) for i in operator.inputs], operator.builtinOptions)
            for index, values in zip(operator.outputs, exact, strict=True):
                tensor = run.graph.tensors[index]
                wanted = np.clip(integers(tensor, values), *LIMITS[type_name(tensor)])
                off = np.abs(run.interpreter.get_tensor(index) - wanted)
                yield (
                    name,
                    type_name(tensor),
                    float(off.max()),
                    _allowed(name, run.graph, operator, index),
                )


def _steps(graph: Any, tensors: Any) -> list[float]:
    found = [affine(graph.tensors[index]) for index in tensors]
    return [float(pair[0]) for pair in found if pair is not None]


def _allowed(name: str, graph: Any, operator: Any, output: int) -> float:
    """The largest allowed error in LSB: half for rounding, plus the kernel's own error. `output`:
    tensor index.
    """
    tensor = graph.tensors[output]
    if name in COPIES:
        return 0.5 if getattr(operator.builtinOptions, "fusedActivationFunction", 0) else 1e-3
    if (name, type_name(tensor)) == ("SOFTMAX", "int16"):
        # The kernel uses its table's last entry for all smaller exponentials.
        return 4.0 + 2.0 * int(tensor.shape[-1])
    if name == "SQUARED_DIFFERENCE":
        # The kernel rounds the difference to a fraction of the input's step before squaring it.
        given = max(_steps(graph, operator.inputs))
        (made,) = _steps(graph, [output])
        return 1.5 + given**2 / made / 500
    return {("TANH", "int16"): 3.0}.get((name, type_name(tensor)), 1.5)


class Loss(Record, frozen=True, kw_only=True):
    """Losses in dB at the worst graph output for one kind of samples, as lower confidence bounds.

    `declared`: declared reading of the written file against that of the original; `kernels`: the
    written file's run against its declared reading.
    """

    declared: float
    kernels: float


def losses(original: bytes, written: bytes, seed: int) -> dict[str, Loss]:
    """Losses by kind of sample.

    Noise is the distance from the float reading of `original`. Rounding to the output's integers is
    never counted as a loss, nor is noise 75 dB below the signal, which int16 kernels have in any
    case. A few samples decide where nothing is lost; otherwise more samples measure the loss.
    `original`, `written`: the files.
    """
    reader = _Readings(original, written)
    found = {}
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, number])
        loss = reader.loss(kind, rng, _FEW, None)
        if max(loss.declared, loss.kernels - _KERNELS_DB) > _SUSPECT_DB:
            loss = reader.loss(kind, rng, _MANY, _CHANCE)
        found[kind] = loss
    return found


class _Readings:
    """Readings of the original (float, declared) and of the written file (declared, run)."""

    def __init__(self, original: bytes, written: bytes) -> None:
        self.floats = NumpyModel(original, Reading.FLOATS)
        self.others = [NumpyModel(data, Reading.ROUNDED) for data in (original, written)]
        self.kernels = _Run(written)

    def loss(self, kind: str, rng: np.random.Generator, count: int, bound: float | None) -> Loss:
        """The loss from `count` samples; `bound`: the quantile of resampled results, if any.
        `kind`: kind of samples.
        """
        outputs = self.kernels.graph.outputs
        noise = np.zeros((3, count, len(outputs)))
        signal = np.zeros((count, len(outputs)))
        for sample in range(count):
            given = feeds(self.floats.model, kind, rng)
            wanted = self.floats.run(given)
            self.kernels.run(given)
            readings = [one.run(given) for one in self.others]
            readings.append([self.kernels.real(index) for index in outputs])
            signal[sample] = [np.square(right).mean() for right in wanted]
            for place, made in enumerate(readings):
                pairs = zip(made, wanted, strict=True)
                noise[place, sample] = [np.square(m - right).mean() for m, right in pairs]
        drawn = np.arange(count)[None]
        if bound is not None:
            drawn = rng.integers(0, count, (_RESAMPLES, count))
        steps = [affine(self.kernels.graph.tensors[index]) for index in outputs]
        rounding = np.array([step[0] ** 2 / 12 if step is not None else 0.0 for step in steps])
        least = np.maximum(rounding, _NEGLIGIBLE * signal[drawn].mean(axis=1)) + 1e-30
        before, after, run = (np.maximum(rows[drawn].mean(axis=1), least) for rows in noise)
        declared, kernels = (10 * np.log10(a / b) for a, b in ((after, before), (run, after)))
        low = 0.0 if bound is None else bound
        return Loss(
            declared=float(np.quantile(declared, low, axis=0).max()),
            kernels=float(np.quantile(kernels, low, axis=0).max()),
        )
