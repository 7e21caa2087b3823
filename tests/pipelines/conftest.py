"""Real converters, each in its own environment, which is made on first use and kept.

The environment variable TFLITE_ALIGN_CONVERTERS names the folder of these environments; default:
pytest's cache. scripts/converters.py lists what they are installed from.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from converters import NotInstalledError
from recipes import run_recipe
from tests.conftest import NO_TENSORFLOW
from tests.conftest import _fixtures_key as tensorflow


@pytest.fixture(scope="session")
def environments(request: pytest.FixtureRequest) -> Path:
    given = os.environ.get("TFLITE_ALIGN_CONVERTERS")
    cache = request.config.cache
    assert cache is not None
    return Path(given) if given else cache.mkdir("converters")


@pytest.fixture(scope="session")
def ran_recipe(
    environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """A function (heading of a recipe, network) that runs the recipe, once for each pair, and
    returns the folder with its files.
    """
    known: dict[tuple[str, str], Path] = {}
    absent: dict[str, str] = {}

    def run(name: str, net: str) -> Path:
        if (name, net) not in known and name not in absent:
            folder = tmp_path_factory.mktemp("recipe")
            try:
                run_recipe(name, net, folder, environments)
                known[name, net] = folder
            except NotInstalledError as error:
                absent[name] = str(error)
        if name in absent:
            pytest.skip(absent[name])
        return known[name, net]

    return run


@pytest.fixture(scope="session")
def needs_tensorflow() -> None:
    if tensorflow() is None:
        pytest.skip(NO_TENSORFLOW)
