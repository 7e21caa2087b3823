"""A C++ header that registers the operators of a model with TensorFlow Lite Micro.

TFLM links only registered kernels. Source of the names: MicroMutableOpResolver of
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

# Methods whose names are not derived from the operator's name.
_METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
# Custom code -> method, for custom operators with a kernel in TFLM.
_CUSTOM_METHODS = {
    "ethos-u": "AddEthosU",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
}


def render_resolver(model: Model, name: str) -> str:
    """The header's text; `name` is the model's name.

    Raises UnsupportedError for operators without a kernel in TFLM: the header would not compile.
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
    """The C++ lines that register the operators. `custom`: names of custom operators. `uses`: names
    of the operators.
    """
    for name in uses:
        method = _CUSTOM_METHODS.get(name) if name in custom else _method(name)
        if method is None:
            yield f'  // "{_comment(name)}" is the application\'s own: resolver.AddCustom(name, registration).'
        else:
            yield f"  if (resolver.{method}() != kTfLiteOk) return kTfLiteError;"


def _method(operator: str) -> str:
    """The resolver's method for an operator: `AddConv2D` for CONV_2D."""
    known = _METHODS.get(operator)
    if known is not None:
        return known
    words = [word.capitalize() for word in operator.split("_")]
    return "Add" + "".join("2D" if word == "2d" else word for word in words)


def _comment(text: str) -> str:
    """Text from the model that cannot end the C++ comment or string it is put in."""
    return printable(text).replace("\\", "/").replace('"', "'")
