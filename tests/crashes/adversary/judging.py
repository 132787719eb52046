"""What the server's own history says of a run, held against what the ledger says.

Nothing here calls the code under test to compare documents: the rules are written out once more.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.run import MAX_SENDS, Attempt, Outcome
from bulkrunner.domain.run_ledger import Ended
from tests.crashes.adversary.truth import Document, Truth, document
from tests.crashes.adversary.workload import Task

SERVERS_OWN = ("created", "modified", "recordStatus", "descriptionLastModifier")
OF_NEW = ("@id", "mainEntity", "controlNumber", "descriptionCreator")

LOST = "lost"
TWICE = "applied twice"
DUPLICATES = "duplicates"
OVERWRITTEN = "foreign edits overwritten by a PUT"
UNREPORTED = "edits under a DELETE not reported with their content"
DIFFERS = "records where ledger and history differ"
OTHER = "other faults"
KINDS = (LOST, TWICE, DUPLICATES, OVERWRITTEN, UNREPORTED, DIFFERS, OTHER)


UNTOUCHED_IS_NOT = ("edited", "deleted", "exists", "missing", "moved", "no_history")
"""What ``verify`` may not say of a record that nobody touched after us."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that must not be."""

    kind: str
    about: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}"


def content(whole: Document) -> str:
    """Everything that is not the server's own, lists without order."""
    whole = copy.deepcopy(whole)
    whole.pop("@context", None)
    for name in SERVERS_OWN:
        whole["@graph"][0].pop(name, None)
    return json.dumps(_sorted(whole["@graph"]), sort_keys=True, ensure_ascii=False)


def _sorted(value: Any, *, graph: bool = True) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(inner, graph=False) for key, inner in value.items()}
    if isinstance(value, list):
        items = [_sorted(item, graph=False) for item in value]
        # The graph's order says which part is the record; every other list is compared as a bag.
        return items if graph else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value


@dataclass
class Judge:
    """Collects everything that a run did wrong."""

    truth: Truth
    tasks: list[Task]
    violations: list[Violation] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By what the change is (action and kind), outcome and code."""
    revived: set[str] = field(default_factory=set)
    """Records that somebody deleted between our look and our PUT, which live again."""

    def judge(self, ended: Iterable[Ended]) -> None:
        """Look at every change of a run, and at everything that was written."""
        self._made = self.truth.made()
        self._stored = self.truth.stored()
        self._came = Counter(
            entry["path"].removeprefix("/")
            for entry in self.truth.writes()
            if entry["method"] != "POST"
        )
        self.figures["versions written by us"] = sum(self._stored.values())
        self._claimed: Counter[str] = Counter()
        self._posted: list[Attempt] = []
        judged = 0
        for one in ended:
            judged += 1
            self._look(self.tasks[one.change.number - 1], one)
        if judged != len(self.tasks):
            self._add(LOST, f"{len(self.tasks) - judged} changes are not in the ledger")
        self._unclaimed()
        self._twins()
        self._posts()

    def _add(self, kind: str, about: str) -> None:
        self.violations.append(Violation(kind=kind, about=about))

    def _look(self, task: Task, one: Ended) -> None:
        outcome = one.result.outcome
        self.outcomes[f"{task.action} {task.kind}", outcome.value, one.result.code] += 1
        look = {"update": self._update, "delete": self._delete, "create": self._create}
        for kind, fault in (*self._attempts(one), *look[task.action](task, one)):
            self._add(kind, f"change {one.change.number}, {task.how} {task.record}: {fault}")

    def _attempts(self, one: Ended) -> Iterator[tuple[str, str]]:
        if one.result.outcome is Outcome.PENDING:
            yield LOST, "has no outcome"
        sent = [a for a in one.attempts if a.answer != "not_sent"]
        if len(sent) > MAX_SENDS:
            yield OTHER, f"{len(sent)} sends"
        decided = one.result.decided_at
        if decided is not None and any(a.intent_at > decided for a in one.attempts):
            yield OTHER, f"sent after it ended {one.result.outcome}"

    def _requests(self, one: Ended) -> Iterator[tuple[str, str]]:
        came = self._came[one.change.record]
        answered = sum(a.status is not None for a in one.attempts)
        if not answered <= came <= len(one.attempts):
            attempts = f"{len(one.attempts)} attempts are in the ledger, {answered} answered"
            yield DIFFERS, f"{came} requests came, {attempts}"

    def _claims(self, record: str, ours: list[int], one: Ended) -> Iterator[tuple[str, str]]:
        """Hold what the server has of ours against the outcome."""
        self._claimed[record] += len(ours)
        outcome = one.result.outcome
        if len(ours) > 1:
            yield TWICE, f"{len(ours)} versions are ours"
        if outcome is Outcome.UNKNOWN:
            return
        unproven = "author_unproven" in one.result.detail
        if outcome is Outcome.APPLIED and not ours and not unproven:
            yield LOST, "applied, but no version is ours"
        if ours and outcome is not Outcome.APPLIED:
            yield DIFFERS, f"{outcome} ({one.result.code}), but a version is ours"

    def _update(self, task: Task, one: Ended) -> Iterator[tuple[str, str]]:
        yield from self._requests(one)
        versions, ours = self.truth.versions(task.record), self.truth.ours(task.record)
        start = self.truth.start(task.record)
        yield from self._claims(task.record, ours, one)
        if not ours:
            return
        written, under = versions[ours[0]], versions[ours[0] - 1]
        if under.deleted:
            # No request can prevent it where the deletion left the ETag as it was; verify tells it.
            self.revived.add(task.record)
        elif content(document(under)) != content(start):
            yield OVERWRITTEN, f"an edit by {under.sigel}"
        if content(document(written)) != content(task.wanted(start)):
            yield DIFFERS, "what was stored is not what was planned"
        if len(versions) > ours[0] + 1:
            self.figures["edited after us"] += 1

    def _delete(self, task: Task, one: Ended) -> Iterator[tuple[str, str]]:
        yield from self._requests(one)
        versions, ours = self.truth.versions(task.record), self.truth.ours(task.record)
        yield from self._claims(task.record, ours, one)
        if one.result.outcome is Outcome.APPLIED and not ours and not versions[-1].deleted:
            yield LOST, "applied, but it is there"
        if not ours:
            return
        under = document(versions[ours[0] - 1])
        edited = content(under) != content(self.truth.start(task.record))
        told = "deleted_over_edit" in one.result.detail
        self.figures["edited just before our DELETE"] += edited
        if edited and told and one.result.stored is not None:
            if content(one.result.stored) == content(under):
                self.figures["of these reported with their content"] += 1
            else:
                yield UNREPORTED, "the content kept is not what was deleted"
        elif edited or told:
            yield UNREPORTED, f"edited: {edited}, the ledger says {dict(one.result.detail)}"

    def _create(self, task: Task, one: Ended) -> Iterator[tuple[str, str]]:
        made = self._made.get((task.record, task.sigel), [])
        self._posted += [attempt for attempt in one.attempts if attempt.method == "POST"]
        if len(made) > 1:
            yield DUPLICATES, f"created as {made}"
        for record in made:
            yield from self._claims(record, self.truth.ours(record), one)
        if not made:
            yield from self._claims(task.record, [], one)
            return
        if one.result.outcome is Outcome.APPLIED and one.result.record not in made:
            yield DIFFERS, f"applied as {one.result.record}, but the server made {made}"
        if _of_new(document(self.truth.versions(made[0])[0])) != _planned(task):
            yield DIFFERS, "what was stored is not what was planned"

    def hear(self, differences: list[dict[str, Any]]) -> None:
        """Hold what ``verify`` says against the history."""
        told = {found["record"]: found["code"] for found in differences}
        self.figures["differences that verify lists"] = len(told)
        for record in self.revived:
            if told.get(record) not in ("revived", "edited", "deleted"):
                self._add(UNREPORTED, f"{record} was brought back, verify says {told.get(record)}")
        for record, code in told.items():
            versions, ours = self.truth.versions(record), self.truth.ours(record)
            if code in UNTOUCHED_IS_NOT and ours and len(versions) == ours[-1] + 1:
                self._add(OTHER, f"verify says {code} of {record}, which nobody touched after us")

    def _unclaimed(self) -> None:
        """Everything that a request of ours stored must be some change's."""
        for record, times in self._stored.items():
            if times != self._claimed[record]:
                self._add(
                    DIFFERS,
                    f"{record} was written {times} times by us, "
                    f"{self._claimed[record]} times for a change",
                )

    def _twins(self) -> None:
        ours = {record for made in self._made.values() for record in made}
        for pair, records in self.truth.live_holdings().items():
            if len(records) > 1 and ours.intersection(records):
                self._add(DUPLICATES, f"{pair} has {records}")

    def _posts(self) -> None:
        came = sum(entry["method"] == "POST" for entry in self.truth.writes())
        answered = sum(attempt.status is not None for attempt in self._posted)
        if not answered <= came <= len(self._posted):
            self._add(DIFFERS, f"{came} POSTs came, {len(self._posted)} attempts are in the ledger")


def _of_new(whole: Document) -> Any:
    record, thing = whole["@graph"]
    record = {k: v for k, v in record.items() if k not in (*SERVERS_OWN, *OF_NEW)}
    thing = {k: v for k, v in thing.items() if k != "@id"}
    if "itemOf" in thing:
        thing["itemOf"] = thing["itemOf"]["@id"].removesuffix("#it").rpartition("/")[2]
        thing["heldBy"] = thing["heldBy"]["@id"].rpartition("/")[2].replace("+", " ")
    return record, thing


def _planned(task: Task) -> Any:
    thing = dict(task.operation["body"])
    if task.kind == "holding":
        thing |= {"@type": "Item", "itemOf": task.record, "heldBy": task.sigel}
    return {"@type": "Record"}, thing
