"""Asks judges (outside runtimes and compilers) whether they accept the original and the aligned
file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from typing import Any

from ..record import replace
from ..verdicts import Acceptance, JudgeVerdict
from .board import Board
from .case import Data, Order
from .judges import judge_file, placed
from .process import children_pool
from .tflm import arena_facts
from .variants import Ran
from .verdict_rules import judge_word

__all__ = ["ask", "ask_same", "verdicts_of"]


def ask_same(
    data: Data, judges: Sequence[str], seconds: float | None, memory: int, board: Board
) -> tuple[JudgeVerdict, ...]:
    """Run each judge once on an unchanged file; one verdict each. `seconds`: time limit of a judge;
    `memory`: limit in bytes.
    """
    verdicts = []
    for name in judges:
        acceptance = judge_file(data, name, seconds=seconds, memory=memory, board=board)
        verdicts.append(judge_word(name, acceptance, acceptance, frozenset()))
    return tuple(verdicts)


def ask(order: Order, judges: Sequence[str]) -> tuple[JudgeVerdict, ...]:
    """Let the judges load or compile both files, without samples, two processes at a time; one
    verdict each.
    """

    def one(name: str) -> JudgeVerdict:
        """The verdict of one judge."""
        limits: dict[str, Any] = {
            "seconds": order.seconds,
            "memory": order.memory,
            "board": order.board,
        }
        after = judge_file(order.after, name, **limits)
        before = after if order.same else judge_file(order.before, name, **limits)
        return judge_word(name, before, after, order.edited or frozenset())

    verdicts = []
    with children_pool(2) as pool:
        # Each thread gets the caller's context, so that it shares the caller's unpacked models.
        contexts = [copy_context() for _ in judges]
        for verdict in pool.map(lambda context, name: context.run(one, name), contexts, judges):
            verdicts.append(verdict)
            order.report(verdict.judge, 0.95)
    return tuple(verdicts)


def verdicts_of(order: Order, ran: Mapping[str, Ran]) -> tuple[JudgeVerdict, ...]:
    """One verdict for each judge of the order. A judge that ran the samples has its result in
    `ran`, by variant name; the other judges load or compile the files now.
    """
    rest = [name for name in order.asked if f"after:{name}" not in ran]
    verdicts = {verdict.judge: verdict for verdict in ask(order, rest)}
    for name in order.asked:
        if name not in verdicts:
            before = _accepted(ran[f"before:{name}"], order.before)
            after = _accepted(ran[f"after:{name}"], order.after)
            verdicts[name] = judge_word(name, before, after, order.edited or frozenset())
    return tuple(verdicts[name] for name in order.asked)


def _accepted(ran: Ran, data: Data) -> Acceptance:
    """The acceptance that follows from running the samples, with the address of the operator that
    the runtime names, and the size of TFLM's arena.
    """
    acceptance = replace(ran.acceptance, facts=ran.acceptance.facts + arena_facts(ran.log))
    return placed(acceptance, data)
