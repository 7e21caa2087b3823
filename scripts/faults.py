"""Faults that occur in real files, inserted into a sound quantized file: at least one for each
repair.

Real values by the declared parameters stay the same up to rounding, unless the fault makes them
undefined. For tests and docs/fixes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tflite_align.format.model import Model, Operator, QuantParams, Tensor
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import (
    Edit,
    SetData,
    SetName,
    SetQuant,
    SetShape,
    SetType,
    SetVersion,
)
from tflite_align.format.writer.splice import splice
from tflite_align.numerics import requantize_bias
from tflite_align.record import Record, replace

__all__ = ["FAULTS", "Fault"]

_Edits = Iterator[Edit]


class Fault(Record, frozen=True, kw_only=True):
    """One fault. `fix`: id of the repair for it; `base`: name of the fixture
    (scripts/make_fixtures.py) into which it is inserted; `description`: of what is wrong; `edits`: function
    that makes the changes, None if the fixture already has the fault.
    """

    fix: str
    base: str
    description: str
    edits: Callable[[Model], _Edits] | None = None  # None: the fixture has the fault already

    def broken(self, data: bytes) -> bytes:
        """The bytes of the fixture with the fault."""
        if self.edits is None:
            return data
        model = read(data)
        return splice(data, model, list(self.edits(model))).join()


def _operators(model: Model, *names: str) -> Iterator[Operator]:
    """The operators with these names."""
    return (one for one in model.subgraphs[0].operators if one.name in names)


def _tensor(model: Model, index: int) -> Tensor:
    """The tensor with this index in the first subgraph."""
    return model.subgraphs[0].tensors[index]


def _quant(model: Model, index: int) -> QuantParams:
    """The parameters of a tensor that has some. `index`: of the tensor."""
    quant = _tensor(model, index).quant
    assert quant is not None
    return quant


def _set(index: int, quant: QuantParams) -> SetQuant:
    """The edit that sets a tensor's parameters. `index`: of the tensor."""
    return SetQuant(subgraph=0, tensor=index, quant=quant)


def _noise(model: Model) -> _Edits:
    """Fixed scales that differ from the exact ones by rounding."""
    for operator in _operators(model, "SOFTMAX"):
        yield _set(
            operator.outputs[0], replace(_quant(model, operator.outputs[0]), scale=(0.00390623,))
        )


def _stale_bias(model: Model) -> _Edits:
    """Bias scales 1.5 times input scale x weight scale, as after a later change of the input's
    scale.
    """
    for operator in _operators(model, "CONV_2D", "FULLY_CONNECTED"):
        bias, data = operator.inputs[2], model.constant(0, operator.inputs[2])
        old = _quant(model, bias)
        new = [float(np.float32(scale * 1.5)) for scale in old.scale]
        assert data is not None
        integers, _, _ = requantize_bias(data, "int32", list(old.scale), new, "int32")
        yield _set(bias, replace(old, scale=tuple(new)))
        yield SetData(subgraph=0, tensor=bias, data=integers)


def _narrow_bias(model: Model) -> _Edits:
    """Biases of int16 models in int32 instead of int64."""
    for operator in _operators(model, "CONV_2D", "FULLY_CONNECTED"):
        data = model.constant(0, operator.inputs[2])
        assert data is not None
        narrow = np.frombuffer(data, "<i8").astype("<i4").tobytes()
        yield SetData(subgraph=0, tensor=operator.inputs[2], data=narrow, type="int32")


def _heaviest(model: Model, operator: Operator) -> float:
    """The largest bias magnitude of the operator's channels, in steps of the output."""
    bias = np.frombuffer(model.constant(0, operator.inputs[2]) or b"", "<i4")
    real = bias * np.asarray(_quant(model, operator.inputs[2]).scale)
    return float(np.max(real)) / _quant(model, operator.outputs[0]).scale[0]


def _heavy_bias(model: Model) -> _Edits:
    """A channel with weights near zero, hence a tiny weight scale, in which a large bias does not
    fit int32.
    """
    operators = _operators(model, "CONV_2D", "FULLY_CONNECTED")
    operator = max(operators, key=lambda one: _heaviest(model, one))
    weights = operator.inputs[1]
    old, data = _quant(model, weights), model.constant(0, weights)
    integers = np.frombuffer(data or b"", np.int8).reshape(_tensor(model, weights).shape).copy()
    bias = np.frombuffer(model.constant(0, operator.inputs[2]) or b"", "<i4")
    channel = int(np.argmax(bias * np.asarray(_quant(model, operator.inputs[2]).scale)))
    integers[channel] = np.sign(integers[channel])
    yield SetData(subgraph=0, tensor=weights, data=integers.tobytes())
    tiny = float(np.float32(1e-9))
    yield _set(
        weights,
        replace(old, scale=tuple(tiny if c == channel else s for c, s in enumerate(old.scale))),
    )


def _shifted(model: Model) -> _Edits:
    """Asymmetric weights, with a zero point other than 0."""
    for operator in _operators(model, "CONV_2D"):
        weights = operator.inputs[1]
        data = np.frombuffer(model.constant(0, weights) or b"", np.int8).astype(int)
        old = _quant(model, weights)
        yield _set(weights, replace(old, zero_point=(9,) * len(old.scale)))
        shifted = np.clip(data + 9, -128, 127).astype(np.int8).tobytes()
        yield SetData(subgraph=0, tensor=weights, data=shifted)


def _turned(model: Model) -> _Edits:
    """Weight scales along the input channels instead of the output channels."""
    for operator in _operators(model, "CONV_2D"):
        weights = operator.inputs[1]
        old, shape = _quant(model, weights), _tensor(model, weights).shape
        if len(old.scale) != shape[0] or shape[3] < 2:
            continue
        data = np.frombuffer(model.constant(0, weights) or b"", np.int8).reshape(shape)
        real = data * np.asarray(old.scale).reshape(-1, 1, 1, 1)
        scales = (np.max(np.abs(real), axis=(0, 1, 2)) / 127).astype(np.float32)
        scales = np.where(scales > 0, scales, np.float32(1))
        integers = np.rint(real / scales).astype(np.int8).tobytes()
        along = replace(old, scale=tuple(map(float, scales)), zero_point=(0,) * len(scales))
        yield _set(weights, replace(along, quantized_dimension=3))
        yield SetData(subgraph=0, tensor=weights, data=integers)


def _lowest(model: Model) -> _Edits:
    """Weights with the integer -128."""
    for operator in _operators(model, "CONV_2D"):
        data = np.frombuffer(model.constant(0, operator.inputs[1]) or b"", np.int8).copy()
        data[data == -127] = -128
        yield SetData(subgraph=0, tensor=operator.inputs[1], data=data.tobytes())


def _no_axis(model: Model) -> _Edits:
    """A quantized_dimension that the weights do not have."""
    for operator in _operators(model, "CONV_2D", "DEPTHWISE_CONV_2D"):
        yield _set(
            operator.inputs[1], replace(_quant(model, operator.inputs[1]), quantized_dimension=7)
        )


def _bare(model: Model) -> _Edits:
    """Outputs of copying operators without parameters."""
    for operator in _operators(model, "MAX_POOL_2D", "RESHAPE"):
        quant = _quant(model, operator.outputs[0])
        yield _set(operator.outputs[0], replace(quant, scale=(), zero_point=()))


def _off_zero(model: Model) -> _Edits:
    """int16 activations with zero point 3."""
    outputs = model.subgraphs[0].outputs
    for operator in _operators(model, "CONV_2D", "FULLY_CONNECTED"):
        if operator.outputs[0] not in outputs:
            old = _quant(model, operator.outputs[0])
            yield _set(operator.outputs[0], replace(old, zero_point=(3,)))


def _one_row(model: Model) -> _Edits:
    """Shapes with 1 for sizes that a converter could not compute."""
    for operator in _operators(model, "CONV_2D"):
        batch, _, *rest = _tensor(model, operator.outputs[0]).shape
        signature = _tensor(model, operator.outputs[0]).shape_signature
        shape = (batch, 1, *rest)
        yield SetShape(subgraph=0, tensor=operator.outputs[0], shape=shape, signature=signature)


def _one_name(model: Model) -> _Edits:
    """Several tensors of one name."""
    for operator in _operators(model, "CONV_2D"):
        yield SetName(subgraph=0, tensor=operator.outputs[0], name="conv")


def _other_type(model: Model) -> _Edits:
    """Outputs of the first convolutions in uint8 with the same real values, between int8 operators."""
    outputs = model.subgraphs[0].outputs
    for operator in list(_operators(model, "CONV_2D"))[:2]:
        tensor = operator.outputs[0]
        old = _quant(model, tensor)
        if tensor not in outputs:
            yield _set(tensor, replace(old, zero_point=(old.zero_point[0] + 128,)))
            yield SetType(subgraph=0, tensor=tensor, type="uint8")


def _late_version(model: Model) -> _Edits:
    """Operator version 99, as of a converter that is newer than every runtime."""
    for operator in _operators(model, "CONV_2D"):
        yield SetVersion(subgraph=0, operator=operator.index, version=99)


def _first_version(model: Model) -> _Edits:
    """Operator version 1 everywhere, which some converters write."""
    for operator in model.subgraphs[0].operators:
        if operator.version > 1:
            yield SetVersion(subgraph=0, operator=operator.index, version=1)


FAULTS = (
    Fault(
        fix="float-noise",
        base="classifier_int8",
        description="SOFTMAX's 1/256 as 0.00390623",
        edits=_noise,
    ),
    Fault(
        fix="types",
        base="residual_int8",
        description="outputs of convolutions as uint8",
        edits=_other_type,
    ),
    Fault(
        fix="registered-version",
        base="residual_int8",
        description="convolutions at version 99",
        edits=_late_version,
    ),
    Fault(fix="tied", base="inception_int8_dealigned", description="every tensor calibrated alone"),
    Fault(
        fix="fixed-output",
        base="classifier_int8_dealigned_fixed",
        description="fixed outputs calibrated too",
    ),
    Fault(
        fix="bias-scale",
        base="classifier_int8",
        description="biases at 1.5 times the product",
        edits=_stale_bias,
    ),
    Fault(
        fix="bias-type",
        base="classifier_int16x8",
        description="16x8 biases as int32",
        edits=_narrow_bias,
    ),
    Fault(
        fix="bias-overflow",
        base="classifier_int8",
        description="a channel's weight scale of 1e-9",
        edits=_heavy_bias,
    ),
    Fault(
        fix="weight-zero-point",
        base="residual_int8",
        description="weights at zero_point 9",
        edits=_shifted,
    ),
    Fault(
        fix="weight-axis",
        base="residual_int8",
        description="scales along the inputs",
        edits=_turned,
    ),
    Fault(fix="weight-minimum", base="residual_int8", description="-128 for -127", edits=_lowest),
    Fault(
        fix="parameter-axis",
        base="residual_int8",
        description="quantized_dimension 7",
        edits=_no_axis,
    ),
    Fault(
        fix="missing-parameters",
        base="inception_int8",
        description="pooling outputs without parameters",
        edits=_bare,
    ),
    Fault(
        fix="int16-zero-point",
        base="classifier_int16x8",
        description="zero_point 3 on int16",
        edits=_off_zero,
    ),
    Fault(
        fix="names",
        base="residual_int8",
        description="every convolution's output is 'conv'",
        edits=_one_name,
    ),
    Fault(
        fix="shapes",
        base="residual_int8",
        description="every convolution's output one row high",
        edits=_one_row,
    ),
    Fault(
        fix="versions",
        base="residual_int8",
        description="every operator at version 1",
        edits=_first_version,
    ),
)
