"""Checks of new values of a tensor's fields, and the table of its parameters."""

from __future__ import annotations

from ...errors import UnsupportedError, UsageError
from ..enums import constant_size, type_code
from ..model import QuantParams, Tensor
from .nodes import NewTable, Value, make_table, scalars

__all__ = ["beyond_affine", "check_size", "code_of_type", "new_quant"]


def beyond_affine(subgraph: int, tensor: int) -> UnsupportedError:
    """The error for changing the parameters of a quantization scheme other than affine, which is
    preserved but not interpreted. `subgraph`: its index.
    """
    address = f"subgraph[{subgraph}]/tensor[{tensor}]"
    return UnsupportedError(f"{address}: parameters of a scheme beyond affine cannot be set")


def check_size(address: str, shaped: Tensor, type_name: str, data: bytes) -> None:
    """Raise UsageError if a constant's size does not match its shape and type."""
    needed = constant_size(shaped.shape, type_name)
    if needed is not None and len(data) != needed:
        msg = f"{address}: {len(data)} bytes of data where shape and type need {needed}"
        raise UsageError(msg)


def code_of_type(name: str) -> int:
    """The code of a tensor type; raises UsageError for an unknown name."""
    try:
        return type_code(name)
    except (KeyError, ValueError):
        msg = f"{name!r} is not a tensor type"
        raise UsageError(msg) from None


def new_quant(quant: QuantParams) -> NewTable:
    """A table of parameters, always with explicit zero points."""
    fields: dict[str, Value] = {
        "scale": scalars("f", quant.scale),
        "zero_point": scalars("q", quant.zero_point or (0,) * len(quant.scale)),
    }
    if quant.quantized_dimension:
        fields["quantized_dimension"] = quant.quantized_dimension
    if quant.minimum:
        fields["min"] = scalars("f", quant.minimum)
    if quant.maximum:
        fields["max"] = scalars("f", quant.maximum)
    return make_table("QuantizationParameters", fields)
