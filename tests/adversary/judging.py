"""What the server's own history says of a run, held against what the ledger says.

Nothing here calls the code under test to compare documents: the rules are written out once more.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.ports import Ended
from bulkrunner.domain.run import MAX_SENDS, Outcome
from tests.support.sandbox import EnvironmentControl

US = "supplier"
NOTE = "adversary"
SERVERS_OWN = ("created", "modified", "recordStatus", "descriptionLastModifier")

History = list[dict[str, Any]]


def content(document: dict[str, Any]) -> str:
    """Everything that is not the server's own, lists without order."""
    document = copy.deepcopy(document)
    document.pop("@context", None)
    for name in SERVERS_OWN:
        document["@graph"][0].pop(name, None)
    return json.dumps(_sorted(document), sort_keys=True, ensure_ascii=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        # The graph's order says which part is the record; every other list is compared as a bag.
        return sorted((_sorted(item) for item in value), key=lambda item: json.dumps(item))
    return value


def with_note(document: dict[str, Any]) -> dict[str, Any]:
    """What an update of the soak's job should make of a record."""
    changed = copy.deepcopy(document)
    thing = changed["@graph"][1]
    notes = thing.get("cataloguersNote", [])
    thing["cataloguersNote"] = [*(notes if isinstance(notes, list) else [notes]), NOTE]
    return changed


@dataclass
class Judge:
    """Collects everything that a run did wrong."""

    control: EnvironmentControl
    initial: dict[str, History]
    log: list[dict[str, Any]]
    violations: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def judge(self, ended: list[Ended]) -> None:
        """Look at every change of a run."""
        self._sent = Counter(
            entry["path"].removeprefix("/")
            for entry in self.log
            if entry["method"] in ("PUT", "DELETE") and entry["client"] in (US, None)
        )
        for one in ended:
            self.figures[str(_outcome(one))] += 1
            for fault in self._faults(one):
                self.violations.append(f"{one.change.action} {one.change.record}: {fault}")
        self.violations += self._twins()
        self.violations += self._posts(ended)

    def _faults(self, one: Ended) -> Iterator[str]:
        if one.result is None:
            yield "has no outcome"
            return
        sent = [a for a in one.attempts if a.answer != "not_sent"]
        if len(sent) > MAX_SENDS:
            yield f"{len(sent)} sends"
        if any(a.intent_at > one.result.decided_at for a in one.attempts):
            yield f"sent after it ended {one.result.outcome}"
        match one.change.action:
            case "update":
                yield from self._update(one)
            case "delete":
                yield from self._delete(one)
            case "create":
                yield from self._create(one)

    def _requests(self, one: Ended) -> Iterator[str]:
        came = self._sent[one.change.record]
        answered = sum(a.status is not None for a in one.attempts)
        if not answered <= came <= len(one.attempts):
            yield f"{came} requests came, but {len(one.attempts)} attempts are in the ledger"

    def _ours(self, record: str) -> tuple[History, History, list[int]]:
        """The history, the versions since the plan, and the places of those that we wrote."""
        history = self.control.history(record)
        first = len(self.initial[record])
        ours = [n for n in range(first, len(history)) if history[n]["client"] == US]
        return history, history[first:], ours

    def _update(self, one: Ended) -> Iterator[str]:
        yield from self._requests(one)
        history, _, ours = self._ours(one.change.record)
        start = self.initial[one.change.record][-1]["document"]
        outcome = _outcome(one)
        if len(ours) > 1:
            yield f"written {len(ours)} times"
        if ours:
            written, under = history[ours[0]], history[ours[0] - 1]
            if under["deleted"]:
                self.figures["revived"] += 1
            elif content(under["document"]) != content(start):
                yield f"a PUT went over an edit by {under['sigel']}"
            if content(written["document"]) != content(with_note(start)):
                yield "what was stored is not what was planned"
            if len(history) > ours[0] + 1:
                self.figures["edited after us"] += 1
                if outcome is Outcome.APPLIED and not history[ours[0] + 1]["deleted"]:
                    self.figures["seen: edited after us"] += "changed_since" in one.result.detail
        if outcome is not Outcome.UNKNOWN and (outcome is Outcome.APPLIED) != bool(ours):
            yield f"{outcome} ({one.result.code}), but the server has {len(ours)} versions of ours"

    def _delete(self, one: Ended) -> Iterator[str]:
        yield from self._requests(one)
        history, _, ours = self._ours(one.change.record)
        outcome, code = _outcome(one), one.result.code
        if len(ours) > 1:
            yield f"deleted {len(ours)} times"
        if ours:
            under = history[ours[0] - 1]
            edited = content(under["document"]) != content(
                self.initial[one.change.record][-1]["document"]
            )
            self.figures["deleted over an edit"] += edited
            if edited != ("deleted_over_edit" in one.result.detail):
                yield f"over an edit: {edited}, but the ledger says {dict(one.result.detail)}"
            if edited and one.result.stored is None:
                yield "deleted over an edit, and the content is not kept"
        if outcome is Outcome.APPLIED and not ours:
            if "author_unproven" not in one.result.detail or not history[-1]["deleted"]:
                yield f"applied ({code}), but we deleted nothing"
            self.figures["author_unproven, and not ours"] += 1
        if ours and outcome not in (Outcome.APPLIED, Outcome.UNKNOWN):
            yield f"{outcome} ({code}), but we deleted it"

    def _create(self, one: Ended) -> Iterator[str]:
        bib = one.change.record
        made = [(record, client) for record, client in self._holdings.get(bib, ())]
        ours = [record for record, client in made if client == US]
        outcome = _outcome(one)
        if len(ours) > 1:
            yield f"created {len(ours)} times: {ours}"
        if outcome is Outcome.APPLIED and [one.result.record] != ours:
            yield f"applied as {one.result.record}, but the server made {ours}"
        if ours and outcome not in (Outcome.APPLIED, Outcome.UNKNOWN):
            yield f"{outcome} ({one.result.code}), but {ours} is ours"

    @property
    def _holdings(self) -> dict[str, list[tuple[str, str]]]:
        found = self.__dict__.get("_made")
        if found is None:
            found = self.__dict__["_made"] = {}
            for record in self.control.records("hold", "Ylm"):
                first = self.control.history(record)[0]
                bib = first["document"]["@graph"][1]["itemOf"]["@id"]
                short = bib.removeprefix(self.control.base_uri).removesuffix("#it")
                found.setdefault(short, []).append((record, first["client"]))
        return found

    def _twins(self) -> Iterator[str]:
        for bib, made in self._holdings.items():
            if len(made) > 1:
                yield f"bib {bib} has {len(made)} holdings: {made}"

    def _posts(self, ended: list[Ended]) -> Iterator[str]:
        came = sum(e["method"] == "POST" and e["path"] == "/data" for e in self.log)
        attempts = [a for one in ended for a in one.attempts if a.method == "POST"]
        answered = sum(a.status is not None for a in attempts)
        if not answered <= came <= len(attempts):
            yield f"{came} POSTs came, but {len(attempts)} attempts are in the ledger"


def _outcome(one: Ended) -> Outcome:
    return Outcome.PENDING if one.result is None else one.result.outcome
