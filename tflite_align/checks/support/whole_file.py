"""Limits on parts of a file that belong to no operator: unused operator codes, and tensors of any
subgraph. A runtime that registers or allocates every one of them refuses the file.

A test gets the model (`subject`) and the row's value for the limit. It returns None if the limit is
kept, else (expected, found) as text.
"""

from __future__ import annotations

from ...format.model import OperatorCode
from ...rules.kernels import load_kernels
from .subject import Mismatch, Subject

__all__ = ["registered_codes", "stated_sizes"]

_CUSTOM = "CUSTOM"
_UNSIZED = ("resource", "string", "variant")  # types of tensors without bytes of a known number


def stated_sizes(subject: Subject, _: object) -> Mismatch:
    """None if no tensor of the file has a size of -1 in its shape, except those of types without
    sizes; else (expected, found).
    """
    for graph in subject.model.subgraphs:
        for tensor in graph.tensors:
            if min(tensor.shape, default=0) < 0 and tensor.type not in _UNSIZED:
                place = f"subgraph[{graph.index}]/tensor[{tensor.index}] {tensor.name!r}"
                return (
                    "sizes of 0 or more in every shape, and -1 only in a shape_signature",
                    f"{place} of shape {list(tensor.shape)}",
                )
    return None


def registered_codes(subject: Subject, value: str) -> Mismatch:
    """The check of operator codes that no operator uses: None if the kernel set named `value`
    registers each of them in its version, else (expected, found). Codes in use are checked at their
    operators.
    """
    model = subject.model
    used = {
        (operator.name, operator.custom_code, operator.version)
        for graph in model.subgraphs
        for operator in graph.operators
    }
    for code in model.operator_codes:
        if (code.name, code.custom_code, code.version) in used or _registered(code, value):
            continue
        code_text = f"{code.name} version {code.version}"
        if code.name == _CUSTOM:
            code_text = f"{_CUSTOM} without a custom_code"
        return (
            "registered operator codes only",
            f"operator_codes[{code.index}], unused: {code_text}",
        )
    return None


def _registered(code: OperatorCode, kernel_set: str) -> bool:
    """Whether the set of kernels registers the operator code, or an application may (custom
    operators).
    """
    if code.name == _CUSTOM:
        return code.custom_code is not None
    row = load_kernels(kernel_set).get(code.name)
    if row is None or not (row.takes or row.versions):
        return False
    return not row.versions or row.versions[0] <= code.version <= row.versions[1]
