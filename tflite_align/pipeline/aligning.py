"""align(): the stages in order.

Each stage ensures what the next requires: reader (every offset checked) -> convert -> binder ->
checker -> solver -> planner -> writer -> reader and checker again on what was written -> judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

from ..checks.binder.bound import Bound
from ..checks.checker import Finding
from ..checks.overrides import named_only, shifted
from ..checks.partition import predictions
from ..errors import AlignError, NotAlignedError
from ..format.flatbuffer import Bytes
from ..format.model import Model, Slot
from ..format.writer.write import write
from ..numerics import Range
from ..record import Record, replace
from ..repair.convert.stage import Asked, convert
from ..repair.planner.changes import Plan
from ..repair.planner.fold_apply import fold_quantizes
from ..repair.planner.plan import plan
from ..repair.selection import changeable, enforced, mended, wanted
from ..report.model_view import ModelView
from ..report.report import Outcome, Report
from ..rules.fixes import enabled_fixes, fixes_off
from ..rules.operator_rows import load_operators
from ..settings.baseline import accepted_in
from ..settings.options import AlignOptions
from ..solver.compare import compare
from ..solver.problem_records import PREFERENCES, Component, Conflict, Solution, SolverOptions
from ..solver.solve import solve
from ..verdicts import BiasReading, OutputLevel, Proof
from .inspection import bind_model, inspect_model, requested, size, templates, uncollected
from .reasons import conflict_reasons, kept_conflicts, proof_reasons, remaining_reasons, without
from .view_of_model import view_of

__all__ = ["AlignResult", "Progress", "Question", "align", "question"]

Progress = Callable[[str, float], None]


class AlignResult(Record, frozen=True):
    """The aligned model and the report. `chunks` are views of the original and of what changed;
    `data` joins them each time it is asked for.
    """

    chunks: tuple[bytes | memoryview, ...]
    report: Report

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    def raise_for_status(self) -> AlignResult:
        """Itself, or NotAlignedError where the command line would write nothing (status 1)."""
        if self.report.exit_status:
            raise NotAlignedError(self.report.name, self.report.reasons)
        return self


class _Made(Record, frozen=True, kw_only=True):
    """One way to align: what was decided, and the edits it comes to."""

    solution: Solution
    drawn: Plan
    conflicts: tuple[Conflict, ...]


def align(
    data: Bytes,
    options: AlignOptions | None = None,
    *,
    name: str = "",
    progress: Progress | None = None,
) -> AlignResult:
    """Make the quantization contract of a model hold, and prove it.

    A model without findings comes back as it is. To be used only when `report.exit_status` is 0.
    `name` is what the report calls the model; `progress` hears (stage, fraction done). Raises
    AlignError (FormatError, UnsupportedError, UsageError) where the job cannot be done at all.
    """
    options = options or AlignOptions()
    # Judges work on arrays and in processes of their own: there the collector is wanted.
    with nullcontext() if options.verify else uncollected():
        return _Run(data, options, name, progress).align()


class Question(Record, frozen=True, kw_only=True):
    """What the solver is asked: constraints to satisfy, findings to repair (`wanted`), and how.

    `kept`: findings that are not wanted, since overrides keep what would have to change.
    """

    bound: Bound
    findings: tuple[Finding, ...]
    wanted: tuple[Finding, ...]
    settings: SolverOptions
    kept: tuple[Conflict, ...] = ()

    @property
    def broken(self) -> list[Slot]:
        return [finding.slot for finding in self.wanted]


def question(data: Bytes, options: AlignOptions) -> Question:
    """What align() would ask the solver about this model; raises what check() raises."""
    return _Run(data, options, "", None).question()


class _Run:
    """One alignment: what went in, and what was found in it."""

    def __init__(
        self, data: Bytes, options: AlignOptions, name: str, progress: Progress | None
    ) -> None:
        self.given = data
        self.options = options
        self.name = name
        self.progress = progress
        self.targets = requested(options)
        self.templates = templates(options, self.targets)
        self.before = inspect_model(data, options, self.targets, self.templates)
        self.idle = self.before.bound.idle
        self.findings = self.before.findings
        self.fixes = enabled_fixes(options.fix, options.no_fix)
        judged = (self.before.bound, self.before.findings)
        fixes, only, bias = self.fixes, options.only, options.bias
        self.mended = mended(data, fixes, only, bias, self._bound, checked=judged)
        if self.mended.changes:
            self.before = inspect_model(self.mended.data, options, self.targets, self.templates)
        asked = Asked(
            to=options.to,
            free_io=options.io == "free",
            fixes=self.fixes,
            inputs=options.input_type,
            outputs=options.output_type,
        )
        self.converted = convert(
            self.mended.data,
            self.before.model,
            asked,
            load_operators(),
            self.targets,
            edited=self.mended.edited,
        )
        self.data = self.converted.data
        self.changes = (*self.mended.changes, *self.converted.changes)
        if self.converted.changes:
            # Addresses are the given file's: operators may have moved since.
            moved = shifted(options.overrides, self.converted.place)
            self.options = replace(options, overrides=moved)
            self.before = inspect_model(self.data, self.options, self.targets, self.templates)
        if options.calibration is not None:
            from ..verify.calibration import check_calibration  # noqa: PLC0415 - a run without judges needs none of it

            check_calibration(self.before.model, options.calibration)

    def align(self) -> AlignResult:
        if self.converted.refused:
            return self._refused()
        asked = self.question()
        anchored = any(one.anchor or one.policy for one in self.options.overrides)
        if not (asked.wanted or self.options.policies or self.options.optimize or anchored):
            return self._untouched(asked.kept)
        settings, unseen = self._observed(asked)
        made = self._made(asked, settings)
        if not made.drawn.edits:
            return self._untouched(made.conflicts, made.solution.components)
        written = write(self.data, self.before.model, made.drawn.edits)
        judged = self.options.verify or bool(settings.observed)
        aligned = written.join() if judged else b""
        image = aligned or written.image(self.data, self.before.model)
        overrides = shifted(self.options.overrides, made.drawn.place)
        settled = replace(self.options, overrides=overrides)
        after = inspect_model(image, settled, self.targets, self.templates)
        proof = self._prove(aligned, made.drawn)
        priced = compare(asked.bound, asked.broken, settings) if self.options.compare else ()
        without_them = self._levels_without(asked, aligned, proof) if settings.observed else ()
        report = replace(
            self._report("aligned", after.findings, proof, made.conflicts),
            mappings=predictions(after.model, self.targets),
            changes=(*self.changes, *made.drawn.changes),
            components=made.solution.components,
            strategies=tuple(priced),
            grown_bytes=self._grown + written.prefix,
            without_calibration=without_them,
            bias_readings=self._readings(proof),
            warnings=(*self.idle, *self.converted.warnings, *unseen),
            view=self._view(asked, after.model, made.solution, settings),
        )
        return AlignResult(written.chunks, report)

    def _view(
        self, asked: Question, after: Model, solution: Solution, settings: SolverOptions
    ) -> ModelView | None:
        if not self.options.view:
            return None
        return view_of(
            asked.bound,
            asked.findings,
            after=after,
            solution=solution,
            settings=settings,
            broken=asked.broken,
        )

    def _made(self, asked: Question, settings: SolverOptions) -> _Made:
        solution = solve(asked.bound, asked.broken, settings)
        drawn, failed = plan(asked.bound, solution, asked.wanted, self.fixes)
        return _Made(
            solution=solution,
            drawn=self._folded(drawn, solution),
            conflicts=(*solution.conflicts, *failed, *asked.kept),
        )

    def _observed(self, asked: Question) -> tuple[SolverOptions, tuple[str, ...]]:
        """The settings with what calibration shows of the values; else warnings that say why."""
        if self.options.calibration is None or not asked.wanted:
            return asked.settings, ()
        from ..verify.observe import observe  # noqa: PLC0415 - a run without judges needs none of it

        found = observe(memoryview(self.data), self.options.calibration, progress=self.progress)
        if not found.ranges:
            return asked.settings, (f"calibration tightens no ranges: {found.why}",)
        observed = {key: Range(*held) for key, held in found.ranges.items()}
        return replace(asked.settings, observed=observed), ()

    def _levels_without(
        self, asked: Question, aligned: bytes, proof: Proof | None
    ) -> tuple[OutputLevel, ...]:
        """What the outputs would be like, had nothing been observed; nothing without a proof."""
        if proof is None or self.options.calibration is None:
            return ()
        made = self._made(asked, asked.settings)
        try:
            plain = write(self.data, self.before.model, made.drawn.edits).join()
        except AlignError:
            return ()  # more QUANTIZE than the file's metadata leaves room for, perhaps
        if plain == aligned:
            return tuple(
                OutputLevel(
                    name=score.name,
                    index=score.index,
                    declared_aligned_db=score.declared_aligned_db,
                )
                for score in proof.outputs
            )
        from ..verify.declared_sqnr import declared_levels  # noqa: PLC0415 - a run without judges needs none of it

        return declared_levels(
            memoryview(self.mended.data),
            plain,
            calibration=self.options.calibration,
            samples=self.options.samples,
            seed=self.options.seed,
        )

    def question(self) -> Question:
        """What the options make of the model's findings."""
        settings = SolverOptions(
            policies=self.options.policies,
            overlap=self.options.overlap,
            weights=PREFERENCES[self.options.prefer],
        )
        every = wanted(self.before.findings, self.fixes, self.options.only)
        asked = changeable(self.before.bound, every)
        return Question(
            bound=enforced(self.before.bound, self.before.findings, self.fixes, self.options.only),
            findings=self.before.findings,
            wanted=asked,
            settings=settings,
            kept=kept_conflicts(self.before.bound, without(every, asked)),
        )

    def _bound(self, model: Model) -> Bound:
        return bind_model(model, self.options, self.targets, self.templates)

    def _readings(self, proof: Proof | None) -> tuple[BiasReading, ...]:
        """What biases in scales of their own come to, read one way and the other."""
        if proof is None or not any(finding.fix == "bias-scale" for finding in self.findings):
            return ()
        files = [
            memoryview(
                mended(self.given, self.fixes | {"bias-scale"}, "all", way, self._bound).data
            )
            for way in ("declared", "as-run")
        ]
        from ..verify.declared_sqnr import bias_readings  # noqa: PLC0415 - a run without judges needs none of it

        return bias_readings(
            *files,
            calibration=self.options.calibration,
            samples=self.options.samples,
            seed=self.options.seed,
        )

    @property
    def _grown(self) -> int:
        return self.mended.grown_bytes + self.converted.grown_bytes

    def _folded(self, drawn: Plan, solution: Solution) -> Plan:
        """Without the QUANTIZE operators that are needless after the plan."""
        # A QUANTIZE that a policy asks for is needed by no rule: folding would undo the policy.
        named = any(one.policy for one in self.options.overrides)
        kept = bool(self.options.policies) or named or self.options.overlap == "forbid"
        overrides = named_only(self.before.model, self.options.overrides)
        by_name = replace(self.options, overrides=overrides)
        return fold_quantizes(
            drawn,
            self.before.model,
            lambda model: bind_model(model, by_name, self.targets, self.templates),
            solution.source,
            everywhere=self.options.optimize,
            fold=not kept,
        )

    def _untouched(
        self, conflicts: Sequence[Conflict], components: Sequence[Component] = ()
    ) -> AlignResult:
        """The very bytes that came in, or were converted, with what was found in them."""
        view = memoryview(self.data)
        proof = self._prove(view, None)
        outcome: Outcome = "aligned" if self.changes else "nothing to align"
        if conflicts and not self.changes:
            outcome = "not aligned"
        report = replace(
            self._report(outcome, self.before.findings, proof, conflicts),
            components=tuple(components),
            bias_readings=self._readings(proof),
            changes=self.changes,
            grown_bytes=self._grown,
        )
        return AlignResult((view,), report)

    def _refused(self) -> AlignResult:
        """The bytes that came in: the file cannot become what it was asked to become."""
        report = self._report("not aligned", self.findings, None, ())
        reasons = (*self.converted.refused, *report.reasons)
        return AlignResult((memoryview(self.given),), replace(report, reasons=reasons))

    def _prove(self, aligned: bytes | memoryview, drawn: Plan | None) -> Proof | None:
        if not self.options.verify:
            return None
        from ..verify.prove import prove  # noqa: PLC0415 - a run without judges needs none of it

        return prove(
            memoryview(self.given),
            aligned,
            calibration=self.options.calibration,
            samples=self.options.samples,
            seed=self.options.seed,
            judges=self._judges(),
            edited=self.converted.edited_after(drawn),
            changed=drawn is not None or bool(self.changes),
            judge_seconds=self.options.judge_seconds,
            reading=memoryview(self.mended.data),
            progress=self.progress,
        )

    def _judges(self) -> tuple[str, ...]:
        named = [judge for target in self.targets for judge in target.judges]
        named += [judge for judge in self.options.require if judge != "numbers"]
        return tuple(dict.fromkeys(named))

    def _report(
        self,
        outcome: Outcome,
        remaining: Sequence[Finding],
        proof: Proof | None,
        conflicts: Sequence[Conflict],
    ) -> Report:
        model = self.before.model
        passed, _ = accepted_in(remaining, self.options.accepted)
        return Report(
            command="align",
            outcome=outcome,
            targets=self.options.targets,
            size=size(model),
            findings=self.findings,
            remaining=tuple(remaining),
            accepted=passed,
            rules=self.before.rules,
            mappings=predictions(model, self.targets),
            fixes_off=fixes_off(self.fixes),
            conflicts=tuple(conflicts),
            conflict_addresses=tuple(entry.slots[0].address(model) for entry in conflicts),
            proof=proof,
            warnings=(*self.idle, *self.converted.warnings),
            reasons=(
                *remaining_reasons(without(remaining, passed), self.options),
                *conflict_reasons(conflicts),
                *proof_reasons(proof, self.options),
            ),
            name=self.name,
            view=view_of(self.before.bound, self.before.findings) if self.options.view else None,
        )
