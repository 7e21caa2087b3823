"""Unknown metadata, and the option --allow-metadata."""

from __future__ import annotations

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.models import Graph
from tests.support.object_api import load, pack
from tflite_align import AlignOptions, align
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.record import replace


def test_a_quantize_is_inserted_if_unknown_metadata_is_allowed() -> None:
    """A model whose metadata has an unknown name needs a QUANTIZE. Alignment is refused, and the
    message names the option and the metadata, until --allow-metadata lists that name.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("z", 0.07)
    graph.activation("y", 0.05, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["x", "z"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    made = load(graph.bytes(["x", "z"], ["y"]))
    record = schema.MetadataT()
    record.name, record.buffer = "xcoreSharedConfig", 0
    made.metadata = [record]
    data = pack(made)
    options = AlignOptions(verify=False)
    for allowed in ((), ("SL_PARAMSv1",)):
        with pytest.raises(UnsupportedError, match="add --allow-metadata xcoreSharedConfig"):
            align(data, replace(options, allow_metadata=allowed))
    result = align(data, replace(options, allow_metadata=("xcoreSharedConfig",)))
    assert (result.report.cuts, result.report.remaining) == (1, ())
    one = AlignOptions(allow_metadata="xcoreSharedConfig")  # type: ignore[arg-type]
    assert one.allow_metadata == ("xcoreSharedConfig",)
    with pytest.raises(UsageError, match="allow_metadata: expected a tuple"):
        AlignOptions(allow_metadata=1)  # type: ignore[arg-type]
