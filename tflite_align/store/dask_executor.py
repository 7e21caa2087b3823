"""Dask's workers as an executor; Dask is imported on first use."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from ..errors import UsageError
from .named_errors import Failure
from .worker_call import bare_call

__all__ = ["DaskExecutor"]

Asked = ParamSpec("Asked")
Answered = TypeVar("Answered")

_FIRST = 30  # seconds to wait for the scheduler and a first worker
_LOGGERS = ("distributed", "distributed.client", "tornado.application", "asyncio")


class DaskExecutor(Executor):
    """The workers of the scheduler at `address`, through `Client.get_executor()`.

    `call`: the function sent to workers, which a scheduler without this package can unpickle.
    Raises UsageError if Dask is not installed, Failure if the scheduler does not answer.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client  # noqa: PLC0415 - an extra
        except ImportError:
            raise UsageError(
                f"dask:{address}: needs the extra `dask`: pip install 'tflite-align[dask]'"
            ) from None
        for name in _LOGGERS:
            # It logs a traceback for a lost connection; `listen` raises a readable error.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._address = address
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared by the workers themselves
            try:
                self._client = Client(address, timeout=_FIRST, set_as_default=False)
            except (OSError, ValueError) as error:
                message = " ".join(str(error).split()) or type(error).__name__
                raise Failure(f"dask:{address}: no scheduler answers there: {message}") from None
        try:
            self._client.wait_for_workers(1, timeout=_FIRST)
        except TimeoutError:
            self._client.close()
            raise Failure(f"dask:{address}: the scheduler has no worker") from None
        self.call = bare_call()
        self.workers = max(sum(self._client.nthreads().values()), 1)
        self._executor = self._client.get_executor()

    def submit(
        self, fn: Callable[Asked, Answered], /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> Future[Answered]:
        """Run a function call on a worker. `fn`: the function; `args`, `kwargs`: its arguments."""
        future: Future[Answered] = self._executor.submit(fn, *args, **kwargs)
        return future

    def listen(self) -> None:
        """Raise Failure if the connection to the scheduler is lost."""
        if self._client.status != "running":
            raise Failure(f"dask:{self._address}: the scheduler is gone")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's
        """Cancel unfinished tasks and disconnect. `wait`: not used."""
        self._client.close(timeout=2)

    def __exit__(self, *_: object) -> None:
        self.shutdown()
