"""Holds an undo of the soak's job against what its records were before the job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.run import Outcome
from bulkrunner.domain.run_ledger import Ended
from tests.crashes.adversary.judging import OF_NEW, SERVERS_OWN, Violation, content
from tests.crashes.adversary.truth import Document, Truth, document
from tests.crashes.adversary.workload import Task

NOT_BACK = "not brought back, and not listed"

LEFT = (Outcome.CONFLICT, Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN)


@dataclass
class UndoJudge:
    """Looks at every change that the job applied.

    Attributes:
        done: the job's changes as they ended. undoing: the changes of the undo's plan.
        ended: those that the undo carried out, by number.
    """

    truth: Truth
    tasks: list[Task]
    done: list[Ended]
    undoing: list[PlannedChange]
    ended: dict[int, Ended]
    violations: list[Violation] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    listed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def judge(self) -> None:
        by_digest = {str(change.operation.get("undo")): change for change in self.undoing}
        self._again = dict(self._new_ids())
        for one in self.done:
            if one.result.outcome is Outcome.APPLIED:
                task = self.tasks[one.change.number - 1]
                change = by_digest.get(one.change.operation_digest())
                for fault in self._faults(task, one, change):
                    about = f"change {one.change.number}, {task.how} {task.record}: {fault}"
                    self.violations.append(Violation(kind=NOT_BACK, about=about))

    def _new_ids(self) -> Iterable[tuple[str, str]]:
        """Yield old and new id of every record that was created again."""
        for one in self.ended.values():
            if one.change.action == "create" and one.result.record:
                yield one.change.given, one.result.record

    def _faults(self, task: Task, one: Ended, change: PlannedChange | None) -> Iterator[str]:
        if change is None:
            yield "the undo does not concern it"
            return
        ended = self.ended.get(change.number)
        outcome = ended.result.outcome if ended else None
        if change.action in ("refused", "not_found") or outcome in LEFT:
            code = ended.result.code if ended else change.code
            self.listed[str(outcome or change.action), code] += 1
            if not code:
                yield "no reason is given"
            return
        if outcome is Outcome.PENDING:
            yield "has no outcome"
            return
        self.figures["brought back"] += 1
        look = {"update": self._update, "delete": self._delete, "create": self._create}
        yield from look[task.action](task, one, change)

    def _update(self, task: Task, one: Ended, change: PlannedChange) -> Iterator[str]:
        now = self.truth.versions(task.record)[-1]
        if now.deleted or content(document(now)) != content(self.truth.start(task.record)):
            yield f"it is not as it was; {self._story(task.record, change)}"

    def _story(self, record: str, change: PlannedChange) -> str:
        """What the undo did, and who wrote the record, for whoever looks into it."""
        ended = self.ended.get(change.number)
        answers = [f"{one.answer} {one.status}" for one in ended.attempts] if ended else []
        told = f"{ended.result.outcome} {ended.result.code}" if ended else change.code
        writers = [
            f"{version.client or 'seed'}/{version.sigel}{' deleted' if version.deleted else ''}"
            for version in self.truth.versions(record)
        ]
        return f"{change.action}, {told}, {answers}; versions by {writers}"

    def _create(self, task: Task, one: Ended, change: PlannedChange) -> Iterator[str]:
        if not self.truth.versions(str(one.result.record))[-1].deleted:
            yield f"{one.result.record} is still there"

    def _delete(self, task: Task, one: Ended, change: PlannedChange) -> Iterator[str]:
        new = self._again.get(task.record)
        if new is None:
            if self.truth.versions(task.record)[-1].deleted:
                yield "it was not created again"
            return
        removed = next(v for v in reversed(self.truth.versions(task.record)) if not v.deleted)
        old = document(removed)
        wanted = self._as_new(old, task.record)
        if self._as_new(document(self.truth.versions(new)[-1]), new) != wanted:
            yield f"{new} is not what was deleted"
        codes = {code for code, _ in change.notes}
        if "new_id" not in codes or ("not_restored" in codes) != _loses_names(old):
            yield f"what is lost is not told: {sorted(codes)}"

    def _as_new(self, whole: Document, own: str) -> str:
        """A record without what it gets when it is created, its links led to new records."""
        record, *rest = self._led(whole["@graph"], own)
        record = {key: v for key, v in record.items() if key not in (*OF_NEW, *SERVERS_OWN)}
        record.pop("sameAs", None)
        for thing in rest:
            if "itemOf" in thing:
                thing.pop("sameAs", None)
        return content({"@graph": [record, *rest]})

    def _led(self, value: Any, own: str) -> Any:
        if isinstance(value, dict):
            return {
                key: self._iri(v, own) if key == "@id" else self._led(v, own)
                for key, v in value.items()
            }
        if isinstance(value, list):
            return [self._led(item, own) for item in value]
        return value

    def _iri(self, iri: str, own: str) -> str:
        short = iri.removesuffix("#it").rpartition("/")[2]
        if short == own:
            return "own"
        new = self._again.get(short)
        return iri if new is None else iri.replace(short, new)


def _loses_names(whole: Document) -> bool:
    """A record's other names are not given to a new one, nor those of a holding's thing."""
    record, thing = whole["@graph"][:2]
    return "sameAs" in record or ("itemOf" in thing and "sameAs" in thing)
