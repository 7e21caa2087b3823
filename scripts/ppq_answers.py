#!/usr/bin/env python3
"""Write tests/data/ppq_answers.json: the results of esp-ppq's QuantAlignmentPass on small graphs.

    scripts/ppq_answers.py PYTHON      PYTHON: an interpreter that has esp-ppq and PyTorch

The graphs are those of tests/support/ppq_graphs.py; the results are scale and offset of each
operand.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
ANSWERS = ROOT / "tests/data/ppq_answers.json"


def answers(python: str) -> dict[str, object]:
    """The results of esp-ppq's pass by graph and row. `python`: interpreter that has esp-ppq."""
    sys.path.insert(0, str(ROOT))
    from tests.support.ppq_graphs import TOPOLOGIES
    from tests.support.ppq_rows import as_ppq_graph

    graphs = {
        name: as_ppq_graph(build(), families) for name, (build, families) in TOPOLOGIES.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        given, written = pathlib.Path(folder) / "graphs.json", pathlib.Path(folder) / "answers.json"
        given.write_text(json.dumps(graphs), encoding="utf-8")
        command = [python, str(ROOT / "tests/pipelines/ppq_pass.py"), str(given), str(written)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, object] = json.loads(written.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Run the command line."""
    code = "import importlib.metadata as m; print(m.version('esp-ppq'))"
    ran = subprocess.run([sys.argv[1], "-c", code], check=True, capture_output=True, text=True)
    document = {
        "source": "esp-ppq",
        "version": ran.stdout.strip(),
        "made by": "scripts/ppq_answers.py",
        "graphs": answers(sys.argv[1]),
    }
    text = json.dumps(document, indent=None, separators=(",", ":"))
    ANSWERS.write_text(text.replace('},{"op"', '},\n{"op"') + "\n", encoding="utf-8")
    print(f"{ANSWERS.relative_to(ROOT)}: esp-ppq {document['version']}")


if __name__ == "__main__":
    main()
