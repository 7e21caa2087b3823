"""Writes the shapes that LiteRT allocates. Arguments: the files' folder, the name of the result
file.

For each file: the shapes of the first subgraph's tensors after one run, by tensor index; those
`before` the run if it fails; nothing if LiteRT refuses the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def _shapes(interpreter: Any) -> dict[str, list[int]]:
    return {
        str(one["index"]): [int(size) for size in one["shape"]]
        for one in interpreter.get_tensor_details()
    }


def allocated(path: Path) -> dict[str, Any]:
    made = Interpreter(
        model_path=str(path),
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    try:
        made.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return {"error": str(error)}
    before = _shapes(made)
    try:
        for one in made.get_input_details():
            made.set_tensor(one["index"], np.zeros(one["shape"], one["dtype"]))
        made.invoke()
    except (RuntimeError, ValueError) as error:
        return {"shapes": before, "stopped": str(error)}
    return {"shapes": _shapes(made)}


def main() -> None:
    """Write each file's result before the next file is loaded, since a model may crash
    the process.
    """
    result = Path(sys.argv[1])
    found = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
    for name in sys.argv[2:]:
        if name in found:
            continue
        found[name] = {"error": "the process ended"}
        result.write_text(json.dumps(found), encoding="utf-8")
        found[name] = allocated(Path(name))
        result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
