"""A C++ header for TensorFlow Lite Micro: the operators that an application has to register.

TFLM links only kernels that are registered. Source of the names: MicroMutableOpResolver of
tensorflow/lite/micro/micro_mutable_op_resolver.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..errors import UnsupportedError
from ..format.model import Model
from ..rules.kernels import load_kernels
from .terminal_text import printable

__all__ = ["render_resolver"]

# Methods whose names do not follow from the operator's.
_METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
# Custom operators that TFLM has kernels for, by their custom codes.
_CUSTOM_METHODS = {
    "ethos-u": "AddEthosU",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
}


def render_resolver(model: Model, name: str) -> str:
    """The header for a model that is called `name`.

    UnsupportedError for operators that TFLM has no kernel for: the header could not be compiled.
    """
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    custom = frozenset(one.custom_code for one in operators if one.custom_code is not None)
    builtin = {one.name for one in operators if one.custom_code is None}
    uses = [*sorted(builtin), *sorted(custom)]
    kernels = load_kernels("tflm")
    absent = [
        one for one in uses if one not in custom and (one not in kernels or not kernels[one].takes)
    ]
    if absent:
        raise UnsupportedError(f"TFLM has no kernel for {', '.join(absent)}")
    identifier = "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", name)) or "Model"
    guard = f"TFLITE_ALIGN_{identifier.upper()}_OPERATORS_H_"
    lines = [
        f"// Operators of {_comment(name)} for TensorFlow Lite Micro. Made by tflite_align.",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"',
        "",
        f"constexpr unsigned int k{identifier}Operators = {len(uses)};",
        "",
        "// Registers all of them; kTfLiteError where one has no room.",
        f"inline TfLiteStatus Register{identifier}Operators(",
        f"    tflite::MicroMutableOpResolver<k{identifier}Operators>& resolver) {{",
        *_registrations(uses, custom),
        "  return kTfLiteOk;",
        "}",
        "",
        f"#endif  // {guard}",
    ]
    return "\n".join(lines) + "\n"


def _registrations(uses: Sequence[str], custom: frozenset[str]) -> Iterator[str]:
    for name in uses:
        method = _CUSTOM_METHODS.get(name) if name in custom else _method(name)
        if method is None:
            yield f'  // "{_comment(name)}" is the application\'s own: resolver.AddCustom(name, registration).'
        else:
            yield f"  if (resolver.{method}() != kTfLiteOk) return kTfLiteError;"


def _method(operator: str) -> str:
    """`AddConv2D` of CONV_2D."""
    known = _METHODS.get(operator)
    if known is not None:
        return known
    words = [word.capitalize() for word in operator.split("_")]
    return "Add" + "".join("2D" if word == "2d" else word for word in words)


def _comment(text: str) -> str:
    """Words of the model that end neither a comment nor its line."""
    return printable(text).replace("\\", "/").replace('"', "'")
