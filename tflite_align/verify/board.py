"""The board that Vela compiles for: which Ethos-U, and what its memories are."""

from __future__ import annotations

import configparser
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError, did_you_mean
from ..record import Record

__all__ = ["ACCELERATORS", "ANY_BOARD", "Board", "family", "shipped_config"]

# Source: `vela --help` of ethos-u-vela 5.2.0.
ACCELERATORS = (
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256",
    "ethos-u65-256", "ethos-u65-512",
    "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048",
)  # fmt: skip
_SECTIONS = {"system": ("System_Config", "--system-config"), "memory_mode": ("Memory_Mode", "--memory-mode")}  # fmt: skip


def family(accelerator: str) -> str:
    """The judge's name for an accelerator: `ethos-u55` for `ethos-u55-128`."""
    return accelerator.rpartition("-")[0]


def shipped_config(name: str) -> str | None:
    """The text of a configuration file that is part of Vela, such as `Arm/vela.ini`; None if there
    is no such file.
    """
    package = importlib.util.find_spec("ethosu")
    for folder in package.submodule_search_locations or () if package is not None else ():
        path = Path(folder, "config_files", name)
        if ".." not in path.parts and path.is_file():
            return path.read_text(encoding="utf-8")
    return None


class Board(Record, frozen=True, kw_only=True):
    """The board for which Vela compiles: its options of these names. Empty: Vela's own defaults,
    and the judge's accelerator.

    `config`: the text of a Vela configuration file, in which `system` and `memory_mode` name
    sections. Raises UsageError for an unknown accelerator or section.
    """

    accelerator: str = ""
    config: str = ""
    system: str = ""
    memory_mode: str = ""

    def __post_init__(self) -> None:
        if self.accelerator and self.accelerator not in ACCELERATORS:
            hint = did_you_mean(self.accelerator, dict.fromkeys(ACCELERATORS, ""))
            choices = f"; there are {', '.join(ACCELERATORS)}"
            raise UsageError(
                f"Vela does not know the accelerator {self.accelerator!r}{hint or choices}"
            )
        parser = configparser.ConfigParser()
        try:
            parser.read_string(self.config)
        except configparser.Error as error:
            message = " ".join(str(error).split())
            raise UsageError(f"--vela-config: not a configuration of Vela: {message}") from None
        for field, (section, option) in _SECTIONS.items():
            self._check_section(getattr(self, field), section, option, parser.sections())

    def _check_section(self, name: str, section: str, option: str, sections: Sequence[str]) -> None:
        """Raise UsageError unless the section exists. `name`: value of the command-line option
        `option`; `section`: the kind of section; `sections`: the file's titles.
        """
        if not name or f"{section}.{name}" in sections:
            return
        if not self.config:
            raise UsageError(f"{option} names a section of a file: give it with --vela-config")
        names = [title.partition(".")[2] for title in sections if title.startswith(f"{section}.")]
        hint = did_you_mean(name, dict.fromkeys(names, ""))
        choices = f"; it has {', '.join(names)}" if names else ""
        raise UsageError(f"--vela-config has no [{section}.{name}]{hint or choices}")

    def check_asked(self, names: Sequence[str]) -> None:
        """Raise UsageError if a board is given and none of these targets and judges compiles for
        it. `names`: of targets and judges.
        """
        if self == Board():
            return
        requested = list(dict.fromkeys(name for name in names if name.startswith("ethos-u")))
        if not requested:
            raise UsageError(
                "options of a board need an Ethos-U target or judge: add --target ethos-u55,"
                " ethos-u65 or ethos-u85"
            )
        if self.accelerator and family(self.accelerator) not in requested:
            raise UsageError(
                f"--accelerator-config {self.accelerator} contradicts {', '.join(requested)}:"
                f" name --target {family(self.accelerator)}"
            )

    def arguments(self, judge: str, default: str) -> list[str]:
        """Arguments of Vela's command line for one judge; the configuration is `vela.ini` beside
        the model. `default`: the judge's own accelerator.
        """
        mine = self.accelerator if family(self.accelerator) == judge else default
        options = ["--accelerator-config", mine]
        if self.config:
            options += ["--config", "vela.ini"]
        if self.system:
            options += ["--system-config", self.system]
        if self.memory_mode:
            options += ["--memory-mode", self.memory_mode]
        return options


ANY_BOARD = Board()
