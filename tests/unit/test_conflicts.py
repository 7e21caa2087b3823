"""A conflict lists a minimal set of requirements that exclude each other."""

from __future__ import annotations

from tests.support.models import POOL, Graph, concat_example
from tflite_align import AlignOptions, align, check
from tflite_align.format.model import Slot
from tflite_align.format.reader import read
from tflite_align.pipeline.aligning import question
from tflite_align.record import replace
from tflite_align.solver.problem_records import SolverOptions
from tflite_align.solver.solve import solve


def logistic_and_tanh() -> bytes:
    """LOGISTIC and TANH, whose kernels write two different fixed labels, into one CONCATENATION."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("l", 1 / 256, -128)
    graph.add("LOGISTIC", ["x"], ["l"])
    graph.activation("t", 1 / 128)
    graph.add("TANH", ["x"], ["t"])
    graph.activation("cat", 1 / 128, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["l", "t"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.conv("cat", "y", 0.2)
    return graph.bytes(["x"], ["y"])


def test_force_never_gives_a_fixed_slot_another_label() -> None:
    result = align(logistic_and_tanh(), AlignOptions(verify=False, overlap="force"))
    report = result.report
    assert report.remaining == ()
    assert report.cuts == 1
    labels = {
        tensor.name: tensor.quant.label
        for tensor in read(result.data).subgraphs[0].tensors
        if tensor.quant is not None and tensor.quant.scale
    }
    assert labels["l"] == (1 / 256, -128)
    assert labels["t"] == (1 / 128, 0)


def test_force_says_which_rules_exclude_each_other() -> None:
    report = align(logistic_and_tanh(), AlignOptions(verify=False, overlap="force")).report
    (conflict,) = report.conflicts
    assert conflict.rules == ("fixed/LOGISTIC/zero_point", "fixed/TANH", "same/CONCATENATION")
    assert conflict.message == (
        "overlap force: these rules and settings contradict each other, so a QUANTIZE separates them:"
        " fixed/LOGISTIC/zero_point writes the zero_point of (0.00390625, -128)"
        " at subgraph[0]/operator[0] LOGISTIC/outputs[0];"
        " fixed/TANH writes (0.0078125, 0) at subgraph[0]/operator[1] TANH/outputs[0];"
        " same/CONCATENATION ties subgraph[0]/operator[2] CONCATENATION/inputs[0], inputs[1],"
        " outputs[0]"
    )
    without = align(logistic_and_tanh(), AlignOptions(verify=False)).report
    assert without.conflicts == ()
    assert without.cuts == 1


def test_force_between_two_kept_boundaries_is_a_conflict() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("p", 0.02)
    graph.add("MAX_POOL_2D", ["x"], ["p"], POOL)
    data = graph.bytes(["x"], ["p"])
    result = align(data, AlignOptions(verify=False, overlap="force"))
    (conflict,) = result.report.conflicts
    assert result.report.remaining == ()
    assert conflict.rules == ("rigid", "same/MAX_POOL_2D")
    assert conflict.slots == (
        Slot(0, -1, "inputs", 0),
        Slot(0, -1, "outputs", 0),
        Slot(0, 0, "inputs", 0),
        Slot(0, 0, "outputs", 0),
    )
    free = align(data, AlignOptions(verify=False, overlap="force", io="free"))
    assert free.report.conflicts == ()
    assert free.report.cuts == 0


def test_parameters_that_no_quantize_can_write_are_a_conflict() -> None:
    """TFLM has no QUANTIZE from uint8 to uint8. A graph input and a graph output that both keep
    their parameters are joined by copying operators only, so that their labels cannot be separated.
    """
    graph = Graph("uint8")
    graph.activation("x", 0.05, 128)
    graph.activation("q", 0.05, 128)
    graph.add("RESHAPE", ["x"], ["q"], ("ReshapeOptions", {"newShape": [1, 4, 4, 3]}))
    graph.activation("p", 0.02, 128)
    graph.add("MAX_POOL_2D", ["q"], ["p"], POOL)
    data = graph.bytes(["x"], ["p"])
    options = AlignOptions(verify=False, targets=("tflm",))
    result = align(data, options)
    assert result.data == data
    assert result.report.outcome == "not aligned"
    assert result.report.remaining == check(data, options).findings
    (conflict,) = result.report.conflicts
    assert conflict.rules == ("rigid", "same/MAX_POOL_2D", "same/RESHAPE")
    assert conflict.message.startswith(
        "no parameters that kernels and QUANTIZE support satisfy these rules and settings;"
        " not aligned (not every target has a QUANTIZE within uint8): "
    )
    assert conflict.message.endswith(
        "subgraph[0]/inputs[0] keeps (0.05, 128); subgraph[0]/outputs[0] keeps (0.02, 128)"
        " (--io free allows new parameters for graph inputs and outputs)"
    )


def test_two_rigid_slots_of_one_rule_are_a_conflict() -> None:
    """Two inputs of one CONCATENATION are rigid with different labels. Nothing changes, and the
    conflict names these two slots, not the output.
    """
    asked = question(concat_example(0.1, 0.04, 0.07), AlignOptions())
    both = (Slot(0, 2, "inputs", 0), Slot(0, 2, "inputs", 1))
    bound = replace(asked.bound, rigid=asked.bound.rigid | set(both))
    for options in (
        SolverOptions(),
        SolverOptions(overlap="force"),
        SolverOptions(policies={"concat": "large"}),
    ):
        solution = solve(bound, asked.broken, options)
        assert solution.source == {}
        assert solution.seen == {}
        (conflict,) = solution.conflicts
        assert conflict.rules == ("rigid", "same/CONCATENATION")
        assert conflict.message == (
            "these rules and settings require different parameters for one group; not aligned:"
            " same/CONCATENATION ties subgraph[0]/operator[2] CONCATENATION/inputs[0], inputs[1],"
            " outputs[0]; subgraph[0]/operator[2] CONCATENATION/inputs[0] keeps (0.1, 0);"
            " subgraph[0]/operator[2] CONCATENATION/inputs[1] keeps (0.04, 0)"
        )
