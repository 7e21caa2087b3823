"""What LiteRT's builtin kernels make of a file, against NumPy's answers to the same integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as fb

from .numpy_models import LIMITS, NumpyModel, Reading, affine, integers, reals, type_name
from .numpy_operators import COPIES, FUNCTIONS, operator_name

__all__ = ["KINDS", "feeds", "losses", "steps_off"]

_KERNELS = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
_NEGLIGIBLE = 10**-7.5  # of the signal's power
Draw = Callable[[np.random.Generator, float, float, list[int]], Any]


def _sparse(rng: np.random.Generator, low: float, high: float, shape: list[int]) -> Any:
    return np.where(rng.random(shape) < 0.1, rng.uniform(low, high, shape), 0.0)


# How values of a graph input are drawn, from the ends of the range that it declares.
KINDS: Mapping[str, Draw] = {
    "whole range": lambda rng, low, high, shape: rng.uniform(low, high, shape),
    "its middle": lambda rng, low, high, shape: rng.uniform(low / 2, high / 2, shape),
    "normal": lambda rng, low, high, shape: rng.normal(0, (high - low) / 12, shape),
    "sparse": _sparse,
}


def feeds(model: Any, kind: str, rng: np.random.Generator) -> list[Any]:
    """One sample of real values for each graph input, exactly what its integers can stand for."""
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
    """A file prepared once by the builtin kernels, every tensor of its main subgraph kept."""

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
    """Name, type, largest distance in LSB of its output from the exact value of what it read, and
    the most that is allowed, for each operator of the main subgraph; those that call are left out.
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
    """LSB between the exact value and the kernel's integer: half for rounding, and what it adds."""
    tensor = graph.tensors[output]
    if name in COPIES:
        return 0.5 if getattr(operator.builtinOptions, "fusedActivationFunction", 0) else 1e-3
    if (name, type_name(tensor)) == ("SOFTMAX", "int16"):
        # Each exponential below its table's end counts as the last entry of the table.
        return 4.0 + 2.0 * int(tensor.shape[-1])
    if name == "SQUARED_DIFFERENCE":
        # The difference is rounded to a part of the input's step before it is squared.
        given = max(_steps(graph, operator.inputs))
        (made,) = _steps(graph, [output])
        return 1.5 + given**2 / made / 500
    return {("TANH", "int16"): 3.0}.get((name, type_name(tensor)), 1.5)


def losses(original: bytes, written: bytes, seed: int, samples: int = 16) -> dict[str, float]:
    """By kind of sample, dB that the worst graph output of `written` is noisier than `original`
    declares itself to be. Noise is the distance from the float reading of `original`; rounding to
    the output's own integers is never counted as a loss, nor is noise 75 dB below the signal, which
    int16 kernels have of their own.
    """
    run = _Run(written)
    exact, declared = (NumpyModel(original, r) for r in (Reading.FLOATS, Reading.ROUNDED))
    found = {}
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, number])
        noise = np.zeros((2, len(run.graph.outputs)))
        signal = np.zeros(len(run.graph.outputs))
        for _ in range(samples):
            given = feeds(exact.model, kind, rng)
            run.run(given)
            real = [run.real(index) for index in run.graph.outputs]
            wanted = exact.run(given)
            signal += [np.square(right).mean() for right in wanted]
            for right, said, made, sums in zip(
                wanted, declared.run(given), real, noise.T, strict=True
            ):
                sums += [np.square(said - right).mean(), np.square(made - right).mean()]
        steps = [affine(run.graph.tensors[index]) for index in run.graph.outputs]
        rounding = [samples * step[0] ** 2 / 12 for step in steps if step is not None]
        least = np.maximum(rounding, _NEGLIGIBLE * signal)
        lost = np.maximum(noise[1], 1e-30) / np.maximum(noise[0], least)
        found[kind] = float(10 * np.log10(lost.max()))
    return found
