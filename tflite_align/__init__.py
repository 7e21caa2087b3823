"""Make the quantization contract of a finished .tflite file hold.

`align(model)` makes it hold, `check(model)` says what is broken, `explain(model, tensor)` says why a
tensor gets its parameters. A model is a path, bytes, or an open file.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers treat it as typing.TYPE_CHECKING. typing is not imported: it is the slowest import
# before cli/entry.py, and Ctrl-C before that module prints a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .api.converting import Converter, Exportable, convert_and_align
    from .api.jobs import align, check, explain
    from .api.results import AlignResult, Explained
    from .api.sources import ReadableFile, Source
    from .certify.portability_records import OperatorPortability, Portability, RuntimePair
    from .checks.checker import Finding, Grade
    from .checks.overrides import Override
    from .checks.partition import Left, TargetMapping
    from .errors import (
        AlignError,
        FormatError,
        NotAlignedError,
        RuleError,
        UnsupportedError,
        UsageError,
    )
    from .format.enums import Activation
    from .format.model import OperatorId, Slot, TensorId
    from .numerics import Label, Range
    from .pipeline.session import Progress
    from .repair.planner.changes import Change
    from .report.component_summary import Overview, Relabelled, Separated, Story
    from .report.github import render_github
    from .report.html.page import render_html
    from .report.json import render_json
    from .report.junit import render_junit
    from .report.model_view import (
        GroupView,
        MemberView,
        ModelView,
        OperatorView,
        SubgraphView,
        TensorView,
        Why,
    )
    from .report.operator_uses import OperatorUse
    from .report.report import Report, Size, Unread
    from .report.sarif import render_sarif
    from .report.tensor_parameters import Parameters, TensorParameters
    from .report.text import render_text
    from .rules.rows import SlotPattern
    from .rules.support_rows import SupportRow
    from .rules.targets import Requirement, Target, load_target, target_names
    from .settings.baseline import Accepted
    from .settings.lock import Lock, Port, Signed
    from .settings.option_words import OptionWords
    from .settings.options import AlignOptions
    from .solver.explanation import Alternative, Anchor, CutStory, Explanation, Link, Tie
    from .solver.problem_records import Component, Conflict, Strategy
    from .verdicts import (
        Acceptance,
        BiasReading,
        CertificateSummary,
        FidelityScore,
        Histogram,
        JudgeVerdict,
        OperatorEstimate,
        OperatorFigure,
        OutputLevel,
        OutputScore,
        StepCheck,
        StepDeviation,
        Verification,
    )
    from .verify.board import Board

__version__ = "0.1.0"

__all__ = [
    "Acceptance",
    "Accepted",
    "Activation",
    "AlignError",
    "AlignOptions",
    "AlignResult",
    "Alternative",
    "Anchor",
    "BiasReading",
    "Board",
    "CertificateSummary",
    "Change",
    "Component",
    "Conflict",
    "Converter",
    "CutStory",
    "Explained",
    "Explanation",
    "Exportable",
    "FidelityScore",
    "Finding",
    "FormatError",
    "Grade",
    "GroupView",
    "Histogram",
    "JudgeVerdict",
    "Label",
    "Left",
    "Link",
    "Lock",
    "MemberView",
    "ModelView",
    "NotAlignedError",
    "OperatorEstimate",
    "OperatorFigure",
    "OperatorId",
    "OperatorPortability",
    "OperatorUse",
    "OperatorView",
    "OptionWords",
    "OutputLevel",
    "OutputScore",
    "Override",
    "Overview",
    "Parameters",
    "Port",
    "Portability",
    "Progress",
    "Range",
    "ReadableFile",
    "Relabelled",
    "Report",
    "Requirement",
    "RuleError",
    "RuntimePair",
    "Separated",
    "Signed",
    "Size",
    "Slot",
    "SlotPattern",
    "Source",
    "StepCheck",
    "StepDeviation",
    "Story",
    "Strategy",
    "SubgraphView",
    "SupportRow",
    "Target",
    "TargetMapping",
    "TensorId",
    "TensorParameters",
    "TensorView",
    "Tie",
    "Unread",
    "UnsupportedError",
    "UsageError",
    "Verification",
    "Why",
    "__version__",
    "align",
    "check",
    "convert_and_align",
    "explain",
    "load_target",
    "render_github",
    "render_html",
    "render_json",
    "render_junit",
    "render_sarif",
    "render_text",
    "target_names",
]

# Public name -> its module, imported on first access, so that `--help` needs no numpy.
_ROOMS = {
    "Parameters": "report.tensor_parameters",
    "TensorParameters": "report.tensor_parameters",
    "CertificateSummary": "verdicts",
    "align": "api.jobs",
    "check": "api.jobs",
    "explain": "api.jobs",
    "AlignResult": "api.results",
    "Explained": "api.results",
    "ReadableFile": "api.sources",
    "Source": "api.sources",
    "Converter": "api.converting",
    "Exportable": "api.converting",
    "convert_and_align": "api.converting",
    "OperatorPortability": "certify.portability_records",
    "Portability": "certify.portability_records",
    "RuntimePair": "certify.portability_records",
    "Finding": "checks.checker",
    "Grade": "checks.checker",
    "Override": "checks.overrides",
    "Left": "checks.partition",
    "TargetMapping": "checks.partition",
    "AlignError": "errors",
    "FormatError": "errors",
    "NotAlignedError": "errors",
    "RuleError": "errors",
    "UnsupportedError": "errors",
    "UsageError": "errors",
    "Activation": "format.enums",
    "OperatorId": "format.model",
    "Slot": "format.model",
    "TensorId": "format.model",
    "Label": "numerics",
    "Range": "numerics",
    "Progress": "pipeline.session",
    "Change": "repair.planner.changes",
    "Overview": "report.component_summary",
    "Relabelled": "report.component_summary",
    "Separated": "report.component_summary",
    "Story": "report.component_summary",
    "render_github": "report.github",
    "render_html": "report.html.page",
    "render_json": "report.json",
    "render_junit": "report.junit",
    "GroupView": "report.model_view",
    "MemberView": "report.model_view",
    "ModelView": "report.model_view",
    "OperatorView": "report.model_view",
    "SubgraphView": "report.model_view",
    "TensorView": "report.model_view",
    "Why": "report.model_view",
    "Report": "report.report",
    "Size": "report.report",
    "Unread": "report.report",
    "render_sarif": "report.sarif",
    "render_text": "report.text",
    "SlotPattern": "rules.rows",
    "SupportRow": "rules.support_rows",
    "Requirement": "rules.targets",
    "Target": "rules.targets",
    "load_target": "rules.targets",
    "target_names": "rules.targets",
    "Accepted": "settings.baseline",
    "Lock": "settings.lock",
    "Port": "settings.lock",
    "Signed": "settings.lock",
    "OptionWords": "settings.option_words",
    "AlignOptions": "settings.options",
    "Alternative": "solver.explanation",
    "Anchor": "solver.explanation",
    "CutStory": "solver.explanation",
    "Explanation": "solver.explanation",
    "Link": "solver.explanation",
    "Tie": "solver.explanation",
    "Component": "solver.problem_records",
    "Conflict": "solver.problem_records",
    "Strategy": "solver.problem_records",
    "Acceptance": "verdicts",
    "BiasReading": "verdicts",
    "FidelityScore": "verdicts",
    "Histogram": "verdicts",
    "JudgeVerdict": "verdicts",
    "OperatorEstimate": "verdicts",
    "OperatorFigure": "verdicts",
    "OutputLevel": "verdicts",
    "OutputScore": "verdicts",
    "StepCheck": "verdicts",
    "StepDeviation": "verdicts",
    "Verification": "verdicts",
    "Board": "verify.board",
    "OperatorUse": "report.operator_uses",
}


def __getattr__(name: str) -> Any:
    if name == "store":  # a subpackage whose public names are not listed here
        return import_module(f"{__name__}.store")
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
