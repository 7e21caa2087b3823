"""Runs one Python block of a recipe, with the names defined that the page expects its reader to
define.

    recipe_step.py NET FILE      NET: of torch_nets, or `keras:NAME` of fixture_nets

Runs in the block's own environment, in the folder of the recipe's files. Trains the network unless
an earlier block did.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import numpy as np

CALIBRATION, HELD_OUT = 64, 64  # number of inputs
SEEDS = {"calibration": 1, "held out": 2}


def torch_names(net: str) -> dict[str, Any]:
    """The names `Net` and `images` for a block; writes `net.pt` if it does not exist."""
    import torch

    import torch_nets

    weights = pathlib.Path("net.pt")
    images, _ = torch_nets.scenes(CALIBRATION, SEEDS["calibration"])
    if not weights.is_file():
        model = torch_nets.trained(net)
        inputs, _ = torch_nets.scenes(HELD_OUT, SEEDS["held out"])
        with torch.no_grad():
            values = model(torch.from_numpy(inputs)).numpy()
        np.save("inputs.npy", inputs)
        np.save("float.npy", values.reshape(len(inputs), -1))
        torch.save(model.state_dict(), weights)
    return {"Net": torch_nets.NETS[net], "images": images}


def keras_names(net: str) -> dict[str, Any]:
    """The names `model`, `images` and `saved_model` (the same network in TensorFlow's format) for a
    block. `net`: name of the network.
    """
    import make_fixtures

    model = make_fixtures.build(net)
    shape = tuple(model.inputs[0].shape)
    images = make_fixtures.smooth_inputs(shape, CALIBRATION, SEEDS["calibration"])[:, None]
    inputs = make_fixtures.smooth_inputs(shape, HELD_OUT, SEEDS["held out"])
    values = np.concatenate([np.asarray(model(one[None])).reshape(1, -1) for one in inputs])
    np.save("inputs.npy", inputs)
    np.save("float.npy", values)
    model.export("saved_model", verbose=False)
    return {"model": model, "images": images}


def main() -> int:
    """Run the command line; returns the exit status."""
    net, file = sys.argv[1:]
    framework, _, name = net.rpartition(":")
    known = pathlib.Path("calibration.npy").is_file()  # later blocks need no names
    names = {} if known else (keras_names(name) if framework else torch_names(name))
    code = pathlib.Path(file).read_text(encoding="utf-8")
    exec(compile(code, file, "exec"), names)  # noqa: S102 - the page's own code is what is tested
    if framework:  # this recipe aligns in memory: also keep the file that it aligned
        pathlib.Path("converted.tflite").write_bytes(names["converter"].convert())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
