"""The exception of a signal ends a run even if a library catches and drops it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from tflite_align.interruption import Stopper, stop_here

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


class Ended(BaseException):
    """What the signal raises."""


@pytest.fixture
def stopper() -> Iterator[Stopper]:
    made = Stopper({signal.SIGUSR1: Ended})
    made.install()
    yield made
    made.remove()


@pytest.mark.usefixtures("stopper")
def test_a_dropped_exception_is_raised_again_before_files_are_written() -> None:
    with contextlib.suppress(BaseException):  # some library's
        signal.raise_signal(signal.SIGUSR1)
    with pytest.raises(Ended):
        stop_here()


@pytest.mark.usefixtures("stopper")
def test_clean_up_after_a_signal_is_not_interrupted() -> None:
    try:
        signal.raise_signal(signal.SIGUSR1)
    except Ended:
        stop_here()
    else:
        pytest.fail("the signal raised nothing")


@pytest.mark.usefixtures("stopper")
def test_without_a_signal_nothing_is_raised() -> None:
    stop_here()
