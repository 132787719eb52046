"""Reads every record of a run again and compares it with what the run left."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bulkrunner.domain.answers import Found, Gone, Missing, Moved
from bulkrunner.domain.decisions import Version, by_and_when
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.fingerprint import before_fingerprint, create_fingerprint
from bulkrunner.domain.plan import Action
from bulkrunner.domain.ports import CatalogueReader, Ended, Progress, RunLedger
from bulkrunner.domain.run import Outcome, Run
from bulkrunner.domain.settling import equals_after, equals_before, is_later

BATCH = 200

Difference = dict[str, Any]
"""``{record, code, message, by, when}``, as the command's JSON document has it."""

REACHED = (Outcome.APPLIED, Outcome.UNCHANGED)
"""Outcomes after which the record should be as the job wanted it."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found.

    Attributes:
        checked: records read again.
    """

    checked: int
    differences: list[Difference]
    requests: int


class Verifier:
    """Compares one run with the environment as it is now; has nothing that could write."""

    def __init__(
        self,
        *,
        reader: CatalogueReader,
        ledger: RunLedger,
        run: Run,
        environment: Environment,
        progress: Progress,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._run = run
        self._threads = environment.concurrency
        self._progress = progress

    def verify(self) -> Verified:
        """Read every record of the run again.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        outcomes = self._ledger.outcomes(self._run.id)
        total = sum(outcomes.values()) - outcomes[Outcome.PENDING.value]
        self._progress.begin(f"verifying run {self._run.id}", total)
        ended = self._ledger.ended(self._run.id)
        checked = 0
        differences: list[Difference] = []
        try:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="verify") as pool:
                for batch in _batches(ended):
                    for found in pool.map(self._look, batch):
                        checked += 1
                        differences += [] if found is None else [found]
                    self._progress.advance(checked, {"different": len(differences)})
        finally:
            self._progress.end()
        return Verified(checked=checked, differences=differences, requests=self._reader.requests)

    def _look(self, ended: Ended) -> Difference | None:
        match ended.change.action, ended.result.outcome:
            case Action.CREATE, Outcome.APPLIED:
                return self._created(ended)
            case Action.CREATE, _:
                return None  # no record of ours to read
            case Action.DELETE, outcome if outcome in REACHED:
                return self._deleted(ended)
            case Action.UPDATE, outcome if outcome in REACHED:
                return self._updated(ended)
            case _:
                return self._untouched(ended)

    def _created(self, ended: Ended) -> Difference | None:
        record = ended.result.record or ended.change.record
        answer = self._reader.read(record)
        if not isinstance(answer, Found):
            return _not_there(record, answer)
        left = ended.result.stored
        wanted = create_fingerprint(left) if left else ended.change.after_fingerprint
        if answer.etag == ended.result.etag or create_fingerprint(answer.document) == wanted:
            return None
        return _edited(record, answer)

    def _deleted(self, ended: Ended) -> Difference | None:
        answer = self._reader.read(ended.change.record)
        if isinstance(answer, (Gone, Missing)):
            return None
        document = answer.document if isinstance(answer, Found) else None
        return _difference(
            ended.change.record, "exists", "the record was to be deleted, but it is there", document
        )

    def _updated(self, ended: Ended) -> Difference | None:
        change, result = ended.change, ended.result
        answer = self._reader.read(change.record)
        if not isinstance(answer, Found):
            return _not_there(change.record, answer)
        wanted = before_fingerprint(result.stored) if result.stored else change.after_fingerprint
        version = Version(document=answer.document, etag=answer.etag)
        if answer.etag != result.etag and version.fingerprint != wanted:
            return _edited(change.record, answer)
        if result.outcome is Outcome.APPLIED:
            return self._replaced(ended, version)
        return None

    def _replaced(self, ended: Ended, newest: Version) -> Difference | None:
        """Compare the version below ours with the one that was to be replaced."""
        change = ended.change
        if not is_later(change, newest):
            return _difference(
                change.record,
                "not_stored",
                "the record has not been saved since the plan was made",
                newest.document,
            )
        answer = self._reader.read_version(change.record, -2)
        if isinstance(answer, Gone):
            return _difference(
                change.record,
                "revived",
                "the version before is a deletion: somebody deleted the record at the last "
                "instant, and the write brought it back",
                newest.document,
            )
        if not isinstance(answer, Found):
            return _difference(change.record, "no_history", "the version before is not there", None)
        older = Version(document=answer.document)
        # Somebody may have saved it again without a change: then what is below is ours too.
        if equals_before(change, older) or older.fingerprint == newest.fingerprint:
            return None
        return _difference(
            change.record,
            "replaced_another",
            "the version before is not the one that the plan was made from",
            answer.document,
        )

    def _untouched(self, ended: Ended) -> Difference | None:
        """A change that did not end well: say so where the record is as wanted all the same."""
        change = ended.change
        if ended.result.outcome not in (Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN):
            return None
        answer = self._reader.read(change.record)
        if change.action is Action.DELETE:
            done = isinstance(answer, Gone)
        else:
            done = isinstance(answer, Found) and _is_as_wanted(ended, answer)
        if not done:
            return None
        return _difference(
            change.record,
            "done_all_the_same",
            f"the change ended {ended.result.outcome}, but the record is as the job wanted it",
            answer.document if isinstance(answer, Found) else None,
        )


def _is_as_wanted(ended: Ended, answer: Found) -> bool:
    version = Version(document=answer.document)
    return equals_after(ended.change, version) and is_later(ended.change, version)


def _not_there(record: str, answer: object) -> Difference:
    match answer:
        case Gone():
            return _difference(record, "deleted", "the record has been deleted since", None)
        case Moved(target=target):
            return _difference(record, "moved", f"the id is now another name of {target}", None)
        case _:
            return _difference(record, "missing", "the environment knows no such record", None)


def _edited(record: str, answer: Found) -> Difference:
    facts = by_and_when(answer.document)
    message = f"edited since by {facts['by'] or 'somebody'} at {facts['when']}"
    return _difference(record, "edited", message, answer.document)


def _difference(
    record: str, code: str, message: str, document: dict[str, Any] | None
) -> Difference:
    facts = by_and_when(document)
    return {
        "record": record,
        "code": code,
        "message": message,
        "by": facts["by"],
        "when": facts["when"],
    }


def _batches(items: Iterator[Ended]) -> Iterator[list[Ended]]:
    while batch := list(islice(items, BATCH)):
        yield batch
