"""Task: one operator of the written file with its operands, as the error bounds read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from .check_linear import PLACES, Linear, sums
from .check_read import ReadOperator
from .check_real import Operand, UnshownError, type_range
from .functions.affine import Affine
from .functions.limits import LIMITS, activation_limits_away, activation_limits_even
from .functions.shapes import are_powers_of_two, is_eightfold, is_over_image

_FUSED = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}


class Kernel(NamedTuple):
    """A row of `schema/arithmetic`. `kind`: its class; `functions`: names of the integer functions
    that elements of the output may get; `clamp`: the activation whose limits replace the fused
    one's, "" for none; `even`: whether these limits round ties to even.
    """

    kind: str
    functions: tuple[str, ...]
    clamp: str = ""
    even: bool = False

    def limited(self, by: Affine, operator: ReadOperator) -> Affine:
        """The output's parameters `by`, narrowed to the integers to which the kernel clamps;
        KeyError for an unknown activation.
        """
        fused = _FUSED[operator.options.get("fused_activation_function", 0)]
        at = activation_limits_even if self.even else activation_limits_away
        return at(self.clamp or fused, by)


# (runtime, operator's name, input types, output types, options and properties of shapes and scales) ->
# groups of kernels: any group may run, and within a group the first kernel that takes the parameters.
Kernels = Callable[
    [str, str, Sequence[str], Sequence[str], Mapping[str, Any]], Sequence[Sequence[Kernel]]
]


@dataclass(frozen=True, kw_only=True)
class Task:
    """An operator of the written file with its operands; `given`: the original's operator.
    `as_run`: read the bias in input scale x weight scale, as kernels do, instead of its declared
    scale.
    """

    given: ReadOperator
    operator: ReadOperator
    inputs: Sequence[Operand | None]
    outputs: Sequence[Operand]
    as_run: bool
    kernel: Kernel

    @cached_property
    def clamp(self) -> tuple[float, float]:
        """(least, greatest) real value that the original's fused activation lets through."""
        return LIMITS[_FUSED[self.given.options.get("fused_activation_function", 0)]]

    @cached_property
    def outs(self) -> list[Affine]:
        """The outputs' parameters, with the integers to which the kernel clamps."""
        whole = [
            out.affine._replace(
                **dict(zip(("low", "high"), type_range(out.tensor.type), strict=True))
            )
            for out in self.outputs
        ]
        return [self.kernel.limited(by, self.operator) for by in whole]

    @cached_property
    def line(self) -> Linear:
        """The accumulators of a convolution or matrix product, by output channel."""
        return sums(self.operator, self.inputs, self.only[0], as_run=self.as_run)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Properties of the operator by the names that conditions of arithmetic rows use: its
        options, and what its shapes and scales imply.
        """
        name, options = self.operator.name, self.operator.options
        tensors = [operand.tensor if operand is not None else None for operand in self.inputs]
        weights = tensors[PLACES[name][1]] if name in PLACES else None
        axes = tensors[1] if len(tensors) > 1 and options.get("keep_dims") else None
        reduced = axes.integers().ravel().tolist() if axes is not None and axes.data else ()
        return {
            **options,
            "several_weight_scales": weights is not None and len(weights.scale) > 1,
            "grouped": name == "CONV_2D"
            and weights is not None
            and self.shape[-1:] != weights.shape[-1:],
            "over_height_and_width": name in {"MEAN", "SUM"} and is_over_image(self.shape, reduced),
            "pot_scale_int16": bool(options.get("pot_scale_int16"))
            and are_powers_of_two([t.scale for t in tensors if t is not None]),
            "eightfold": is_eightfold(self.shape, self.outputs[0].tensor.shape),
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first operand; () without one."""
        first = self.inputs[0] if self.inputs else None
        return first.tensor.shape if first is not None else ()

    @property
    def only(self) -> tuple[Operand, Affine]:
        """The single output as (operand, parameters); ValueError if the operator has several."""
        (output,), (out,) = self.outputs, self.outs
        return output, out

    def input(self, index: int) -> Affine:
        """The parameters of the input at this position; UnshownError if it is absent."""
        operand = self.inputs[index]
        if operand is None:
            raise UnshownError("an operand is absent")
        return operand.affine
