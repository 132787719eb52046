"""Every record of a run is read again and compared with what the run left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from bulkrunner.domain.catalogue import Found, Gone, Missing, Moved, ReadAnswer
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.operations import references_in, with_records
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.ports import CatalogueReader, Progress
from bulkrunner.domain.prediction import before_fingerprint, create_fingerprint
from bulkrunner.domain.records import Document
from bulkrunner.domain.run import Outcome, Run, outcome_word
from bulkrunner.domain.run_ledger import Ended, LaterWrite
from bulkrunner.domain.settlement.attempts import Version, by_and_when, by_whom
from bulkrunner.domain.settlement.updates import (
    MAX_VERSIONS,
    Left,
    differing,
    equals_after,
    equals_before,
    is_later,
    stored_otherwise,
)
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Written:
    """The version that a run wrote, where the history shows it, and the one below it."""

    version: Version | None = None
    below: Version | None = None


class Search:
    """Looks through the versions of records for what a run wrote; reads no more than it must."""

    def __init__(self, reader: CatalogueReader) -> None:
        self._reader = reader

    def is_as_left(self, record: str, left: Left, newest: Version) -> bool:
        """Return True if the newest version of a record has what a run left."""
        if newest.document is None or left.is_known(newest):
            return left.is_as_left(newest, None)
        return left.is_as_left(newest, self.written(record, left, newest).version)

    def written(self, record: str, left: Left, newest: Version) -> Written:
        """Walk back from the newest version, as far as that is later than the plan's."""
        if left.is_new:
            return self._first(record, left)
        version, found = newest, Written()
        for number in range(2, MAX_VERSIONS + 2):
            older = self._version(record, -number)
            if left.is_ours(version, older):  # of several alike, saved again, the oldest
                found = Written(version=version, below=older)
            if older is None or (left.change is not None and not is_later(left.change, older)):
                break
            version = older
        return found

    def _first(self, record: str, left: Left) -> Written:
        first = self._version(record, 0)
        return Written(version=first if first and left.is_ours(first, None) else None)

    def _version(self, record: str, number: int) -> Version | None:
        match self._reader.read_version(record, number):
            case Found() as found:
                return Version(document=found.document, etag=found.etag)
            case Gone():
                return Version(document=None)
            case _:
                return None


def by_a_later_run(later: Sequence[LaterWrite], etag: str | None) -> str:
    """Return which later run left a record with this ETag (None: deleted), as a message's end."""
    for write in reversed(later):
        if write.deleted if etag is None else bool(write.etag) and write.etag == etag:
            return Sentence("by_a_later_run", run=write.run, job=write.job)
    return ""


BATCH = 200

# Places named in a message at most.
SHOWN = 5

# ``{record, code, message, by, when}``, as the command's JSON document has it.
Difference = dict[str, Any]

# Differences that the newest version of a record makes.
NEWEST = ("edited", "no_history", "not_stored")

# Outcomes after which the record should be as the job wanted it.


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found; ``checked`` are records read again."""

    checked: int
    differences: list[Difference]
    requests: int


class Verifier:
    """Compares one run with the environment as it is now; has nothing that could write."""

    def __init__(
        self,
        *,
        reader: CatalogueReader,
        ledger: Ledger,
        run: Run,
        environment: Environment,
        progress: Progress,
        active_sigel: str,
        iris: IriMap,
    ) -> None:
        self._reader = reader
        self._iris = iris
        self._ledger = ledger
        self._run = run
        self._search = Search(reader)
        self._sigel = active_sigel
        self._threads = environment.concurrency
        self._progress = progress
        self._etags: dict[str, str] = {}

    def verify(self) -> Verified:
        """Read every record of the run again; CatalogueUnreachable if nothing answers."""
        outcomes = self._ledger.runs.outcomes(self._run.id)
        total = sum(outcomes.values()) - outcomes[Outcome.PENDING.value]
        self._progress.begin(Sentence("progress_verifying", run=self._run.id), total)
        ended = self._ledger.runs.ended(self._run.id)
        checked = 0
        differences: list[Difference] = []
        try:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="verify") as pool:
                for batch in _batches(ended):
                    looked = list(pool.map(self._look, batch))
                    checked += sum(found is not None for found in looked)
                    differences += self._attributed(
                        [one for found in looked for one in found or ()]
                    )
                    self._etags.clear()
                    self._progress.advance(checked, {"different": len(differences)})
        finally:
            self._progress.end()
        return Verified(checked=checked, differences=differences, requests=self._reader.requests)

    def _read(self, record: str) -> ReadAnswer:
        answer = self._reader.read(record)
        if isinstance(answer, Found):
            self._etags[record] = answer.etag
        return answer

    def _attributed(self, differences: list[Difference]) -> list[Difference]:
        """Say which later run of this ledger it was that made a record differ."""
        records = sorted({difference["record"] for difference in differences})
        later = self._ledger.runs.written_later(self._run.id, records)
        return [self._told(one, later.get(one["record"], ())) for one in differences]

    def _told(self, difference: Difference, later: Sequence[LaterWrite]) -> Difference:
        code, etag = difference["code"], self._etags.get(difference["record"])
        if code == "deleted":
            who = by_a_later_run(later, None)
        else:
            who = by_a_later_run(later, etag) if etag and code in NEWEST else ""
        return {**difference, "message": difference["message"] + who}

    def _look(self, ended: Ended) -> list[Difference] | None:
        """Return what differs; None where the change made no record that could be read."""
        ended = self._referring(ended)
        match ended.change.action, ended.result.outcome:
            case Action.CREATE, Outcome.APPLIED:
                return self._created(ended)
            case Action.CREATE, _:
                return None
            case Action.DELETE, outcome if outcome.is_well:
                return self._deleted(ended)
            case Action.UPDATE, outcome if outcome.is_well:
                return self._updated(ended)
            case _:
                return self._untouched(ended)

    def _referring(self, ended: Ended) -> Ended:
        """Return a change with the ids of the records that the run created in it."""
        change = ended.change
        numbers = sorted(references_in(change.after).intersection(change.prerequisites))
        if not numbers:
            return ended
        made = self._ledger.runs.ended_as(self._run.id, numbers)
        records = {number: one.record for number, one in made.items() if one.record}
        return replace(ended, change=with_records(change, records, self._iris))

    def _created(self, ended: Ended) -> list[Difference]:
        record = ended.result.record or ended.change.record
        answer = self._read(record)
        if not isinstance(answer, Found):
            return [_not_there(record, answer)]
        left = Left.by(ended.change, ended.result, self._sigel)
        newest = Version(document=answer.document, etag=answer.etag)
        if self._search.is_as_left(record, left, newest):
            return _otherwise(ended.change, record, answer.document)
        known = ended.result.stored or ended.change.predicted
        return [_edited(record, answer.document, known)]

    def _deleted(self, ended: Ended) -> list[Difference]:
        answer = self._read(ended.change.record)
        if isinstance(answer, (Gone, Missing)):
            return []
        document = answer.document if isinstance(answer, Found) else None
        return [
            _difference(
                ended.change.record,
                "exists",
                Sentence("verify_still_there"),
                document,
            )
        ]

    def _updated(self, ended: Ended) -> list[Difference]:
        change, result = ended.change, ended.result
        answer = self._read(change.record)
        if not isinstance(answer, Found):
            return [_not_there(change.record, answer)]
        newest = Version(document=answer.document, etag=answer.etag)
        if result.outcome is not Outcome.APPLIED:
            as_wanted = equals_after(change, newest)
            return [] if as_wanted else [_edited(change.record, answer.document, change.predicted)]
        if not is_later(change, newest):
            return [
                _difference(
                    change.record,
                    "not_stored",
                    Sentence("verify_not_saved"),
                    newest.document,
                )
            ]
        return self._written(ended, newest)

    def _written(self, ended: Ended, newest: Version) -> list[Difference]:
        """Compare the newest version with ours, and the one below ours with the plan's."""
        change, result = ended.change, ended.result
        left = Left.by(change, result, self._sigel)
        written = self._search.written(change.record, left, newest)
        ours = written.version
        differences: list[Difference] = []
        if newest.document is not None and not left.is_as_left(newest, ours):
            known = ours.document if ours else change.predicted
            differences.append(_edited(change.record, newest.document, known))
        if ours is None or ours.document is None:
            differences.append(
                _difference(
                    change.record,
                    "no_history",
                    Sentence("verify_no_version"),
                    newest.document,
                )
            )
            return differences
        differences += _otherwise(change, change.record, ours.document)
        return differences + _replaced(change, ours, written.below)

    def _untouched(self, ended: Ended) -> list[Difference] | None:
        """A change that did not end well: say so where the record is as wanted all the same."""
        change = ended.change
        answer = self._read(change.record)
        if change.action is Action.DELETE:
            done = isinstance(answer, Gone)
        else:
            done = isinstance(answer, Found) and _is_as_wanted(ended, answer)
        if not done:
            return []
        return [
            _difference(
                change.record,
                "done_all_the_same",
                Sentence("verify_done_all_the_same", outcome=outcome_word(ended.result.outcome)),
                answer.document if isinstance(answer, Found) else None,
            )
        ]


def _replaced(change: PlannedChange, ours: Version, below: Version | None) -> list[Difference]:
    """Compare the version below ours with the one that was to be replaced."""
    if below is None:
        return [_difference(change.record, "no_history", Sentence("verify_before_gone"), None)]
    if below.document is None:
        return [
            _difference(
                change.record,
                "revived",
                Sentence("verify_before_deleted"),
                ours.document,
            )
        ]
    if equals_before(change, below):
        return []
    return [
        _difference(
            change.record,
            "replaced_another",
            Sentence("verify_before_other"),
            below.document,
        )
    ]


def _otherwise(change: PlannedChange, record: str, left: Document) -> list[Difference]:
    """Say where the server stored something else in the very places that the job changes."""
    fingerprint = create_fingerprint if change.action is Action.CREATE else before_fingerprint
    if fingerprint(left) == change.after_fingerprint:
        return []
    places = stored_otherwise(change, left).get("not_as_predicted")
    if not places:
        return []
    message = Sentence("verify_stored_otherwise", places=_some(places))
    return [_difference(record, "stored_otherwise", message, left)]


def _some(places: Sequence[str]) -> str:
    return ", ".join(places[:SHOWN]) + (" …" if len(places) > SHOWN else "")


def _is_as_wanted(ended: Ended, answer: Found) -> bool:
    version = Version(document=answer.document)
    return equals_after(ended.change, version) and is_later(ended.change, version)


def _not_there(record: str, answer: object) -> Difference:
    match answer:
        case Gone():
            return _difference(record, "deleted", Sentence("verify_deleted_since"), None)
        case Moved(target=target):
            return _difference(record, "moved", Sentence("verify_moved", target=target), None)
        case _:
            return _difference(record, "missing", Sentence("verify_missing"), None)


def _edited(record: str, document: Document, left: Document | None) -> Difference:
    facts = by_and_when(document)
    by, when = by_whom(facts), str(facts["when"])
    places = differing(left, document) if left else []
    message = (
        Sentence("verify_edited_in", by=by, when=when, places=_some(places))
        if places
        else Sentence("verify_edited", by=by, when=when)
    )
    return _difference(record, "edited", message, document)


def _difference(record: str, code: str, message: Sentence, document: Document | None) -> Difference:
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
