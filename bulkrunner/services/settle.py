"""Outcomes that nobody knows: decided by a person; and what the catalogue holds of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from bulkrunner.domain.catalogue import Found, Gone
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import CLOCKS, Ledger
from bulkrunner.domain.plan import Action, Plan, PlannedChange
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.prediction import create_fingerprint
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    last_modifier,
    modified,
    record_part,
)
from bulkrunner.domain.run import Outcome, Result, Run, outcome_word
from bulkrunner.domain.run_ledger import Ended
from bulkrunner.domain.settlement.attempts import Version, moment
from bulkrunner.domain.settlement.creates import Candidate, identifiers_of, is_ours
from bulkrunner.domain.settlement.updates import equals_after
from bulkrunner.errors import CatalogueUnreachable, UsageError
from bulkrunner.sentences import Sentence

# Code of an outcome that a person decided.
SETTLED = "settled"

# Characters of a name or reason that are kept.
MAX_TEXT = 2000


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What a person says became of a change; ``record`` is what a create made, short id or IRI."""

    applied: bool
    record: str | None
    by: str
    reason: str
    recorded_by: str


class Settler:
    """``settle``."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, read: Callable[[Run, str], Found | None]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._read = read

    def settle(self, run_prefix: str, change: str, said: Settlement) -> tuple[Run, Ended, Result]:
        """Store what a person found out of a change whose outcome is unknown.

        ``change`` is a number in the plan, or ``PLAN.NUMBER``. Returns run, change as it was,
        and its result. UsageError: unknown, known already, or not the record that it can be.
        """
        run = self._ledger.runs.get(run_prefix)
        by, reason = stated("--by", said.by), stated("--reason", said.reason)
        found = self._find(run, change)
        values: dict[str, Any] = {}
        if said.applied and found.change.action is Action.CREATE:
            values = self._made(run, found.change, said.record)
        elif said.record is not None:
            raise UsageError(
                Sentence("settle_record_not_wanted"),
                hint=Sentence("leave_out"),
                code="record_not_wanted",
            )
        result = Result(
            outcome=Outcome.APPLIED if said.applied else Outcome.FAILED,
            code=SETTLED,
            message=Sentence(
                "settled_applied" if said.applied else "settled_not_applied", by=by, reason=reason
            ),
            detail={
                **found.result.detail,
                "settled": {
                    "as": "applied" if said.applied else "not-applied",
                    "by": by,
                    "reason": reason,
                    "recorded_by": said.recorded_by,
                    "was": found.result.code,
                },
            },
            decided_at=self._clock.now(),
            **values,
        )
        self._ledger.runs.conclude(run.id, found.change.number, result).result()
        return run, found, result

    def _find(self, run: Run, change: str) -> Ended:
        plan, _, last = change.rpartition(".")
        number = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
        if plan not in ("", run.plan):
            number = 0
        found = next(self._ledger.runs.ended(run.id, after=max(number - 1, 0)), None)
        if number < 1 or found is None or found.change.number != number:
            raise UsageError(
                Sentence("settle_change_unknown", run=run.id, change=repr(change)),
                hint=Sentence("settle_change_unknown_hint", run=run.id),
                code="unknown_change",
            )
        if found.result.outcome is not Outcome.UNKNOWN:
            raise UsageError(
                Sentence(
                    "settle_not_unknown",
                    number=number,
                    run=run.id,
                    outcome=outcome_word(found.result.outcome),
                ),
                hint=Sentence("settle_not_unknown_hint"),
                code="not_unknown",
            )
        return found

    def _made(self, run: Run, change: PlannedChange, record: str | None) -> dict[str, Any]:
        """Return what is stored of the record that a create made."""
        if record is None:
            raise UsageError(
                Sentence("settle_record_missing"),
                hint=Sentence("settle_record_missing_hint"),
                code="record_missing",
            )
        found = self._read(run, record)
        if found is None:
            raise UsageError(
                Sentence("settle_record_gone", record=record, environment=run.environment),
                hint=Sentence("settle_record_gone_hint"),
                code="record_not_found",
            )
        if is_holding(found.document) != (change.kind == "holding"):
            raise UsageError(
                Sentence("settle_other_kind", record=found.record, kind=change.kind),
                hint=Sentence("settle_look_again"),
                code="other_record",
            )
        if self._ledger.runs.claimed([found.record], run=run.id, change=change.number):
            raise UsageError(
                Sentence("settle_record_of_other", record=found.record),
                hint=Sentence("settle_look_again"),
                code="other_record",
            )
        as_planned = create_fingerprint(found.document) == change.after_fingerprint
        return {
            "record": found.record,
            "etag": found.etag or None,
            "stored_modified": modified(found.document),
            "stored": None if as_planned else found.document,
        }


def stated(option: str, value: str) -> str:
    """Return what a person states, on one line; UsageError if it is empty."""
    value = "".join(letter if letter.isprintable() else " " for letter in value)
    value = " ".join(value.split())
    if not value:
        raise UsageError(Sentence("option_empty", option=option), hint=Sentence("settle_who_hint"))
    return value[:MAX_TEXT]


# Changes that are looked at. One new bib that is there says enough, as it is made of the plan; what
# a person may have done by hand says something only where all of it is there.
SAMPLE = 3

# New bibs that the newest records of the catalogue are compared with.
MANY = 200

# The server's clock may be ahead of any that we know.
AHEAD = timedelta(hours=24)

# What is not sure of the difference between two clocks that was just seen.
A_LITTLE = timedelta(seconds=5)

# Records that are looked at for one of the changes.
MAX_FOUND = 20


class UnknownWrites:
    """Asks the catalogue about the first changes of a plan that were never sent."""

    def __init__(self, ledger: Ledger, clock: Clock, reader: CatalogueReader, iris: IriMap) -> None:
        self._ledger = ledger
        self._clock = clock
        self._reader = reader
        self._iris = iris

    def sign(self, plan: Plan, run: Run | None) -> str | None:
        """Return what says that a run wrote unknown to the ledger; None: nothing does."""
        made = plan.finished_at or plan.created_at
        if self._ledger.provenance.restorations():
            return None  # a person has said so already, and each new bib is searched for
        try:
            return self._new_bib(plan, run, made) or self._all_done(plan, run, made)
        except CatalogueUnreachable:
            return None  # the run will notice, and say so, where it is more than the search

    def _new_bib(self, plan: Plan, run: Run | None, made: datetime) -> str | None:
        bibs = self._unsent(plan, run, lambda change: _is_new_bib(change) and _has_name(change))
        for change in islice(bibs, SAMPLE):
            found = self._reader.bibs_named(*identifiers_of(change.predicted or {}))
            record = self._ours(plan, change, found, made)
            if record is not None and self._is_unsent(plan, change):
                return _there_already(change, record)
        return self._newest_bib(plan, run, made)

    def _newest_bib(self, plan: Plan, run: Run | None, made: datetime) -> str | None:
        """Look among what was made just now, which the search does not find yet."""
        changes = list(islice(self._unsent(plan, run, _is_new_bib), MANY))
        if not changes:
            return None
        since = self._there(made)
        until = int((self._clock.now() + AHEAD).timestamp() * 1000)
        found = tuple(
            record
            for activity in self._reader.feed_page(until=until)
            if activity.kind == "Create" and not activity.library and activity.published >= since
            if (record := self._iris.short_id(activity.iri.removesuffix("#it")))
        )
        known = self._ledger.runs.claimed(found, run="", change=0)
        for record in [one for one in found if one not in known][:MAX_FOUND]:
            candidate = candidate_of(self._reader, record)
            for change in changes:
                if (
                    candidate
                    and is_ours(change, candidate, plan.active_sigel, since)
                    and self._is_unsent(plan, change)
                ):
                    return _there_already(change, record)
        return None

    def _all_done(self, plan: Plan, run: Run | None, made: datetime) -> Sentence | None:
        if self._wrote_since(plan, run, made):
            return None  # another run of this ledger may have done it
        sample = list(islice(self._unsent(plan, run, _is_seen), SAMPLE))
        if len(sample) < SAMPLE or not all(
            self._is_done(plan, one, made) and self._is_unsent(plan, one) for one in sample
        ):
            return None
        return Sentence("unknown_changes_made", count=SAMPLE, sigel=plan.active_sigel)

    def _unsent(
        self, plan: Plan, run: Run | None, wanted: Callable[[PlannedChange], bool]
    ) -> Iterator[PlannedChange]:
        """Yield changes that the ledger says were never sent, in plan order."""
        if run is not None:
            items = self._ledger.runs.pending(run.id)
            yield from (item.change for item in items if not item.attempts and wanted(item.change))
            return
        changes = self._ledger.plans.changes(plan.id, actions=(Action.CREATE, Action.UPDATE))
        yield from filter(wanted, changes)

    def _is_unsent(self, plan: Plan, change: PlannedChange) -> bool:
        """Return True if no process has begun to send it meanwhile, as far as the ledger knows."""
        for run in self._ledger.runs.all(plan=plan.id):
            (item, *_) = self._ledger.runs.pending(run.id, after=change.number - 1, limit=1) or (
                None,
            )
            if item is None or item.change.number != change.number or item.attempts:
                return False
        return True

    def _wrote_since(self, plan: Plan, run: Run | None, made: datetime) -> bool:
        return any(
            other.environment == plan.environment and other.active_at > made
            for other in self._ledger.runs.all()
            if run is None or other.id != run.id
        )

    def _is_done(self, plan: Plan, change: PlannedChange, made: datetime) -> bool:
        if change.action is Action.CREATE:
            bib, sigel = item_of(change.after or {}), held_by(change.after or {})
            if bib is None or sigel is None:
                return False
            found = self._reader.holdings_of(bib, sigel)
            return self._ours(plan, change, found, made) is not None
        newest = self._reader.read(change.record)
        if not isinstance(newest, Found):
            return False
        version = Version(document=newest.document, etag=newest.etag)
        written = moment(modified(newest.document))
        return (
            last_modifier(newest.document) == plan.active_sigel
            and written is not None
            and written >= self._there(made)
            and modified(newest.document) != modified(change.before or {})
            and equals_after(change, version)
        )

    def _ours(
        self, plan: Plan, change: PlannedChange, found: tuple[str, ...], made: datetime
    ) -> str | None:
        """Return the record that is the one planned, made since then, and of no other change."""
        known = self._ledger.runs.claimed(found, run="", change=0)
        for record in [one for one in found if one not in known][:MAX_FOUND]:
            candidate = candidate_of(self._reader, record)
            if candidate and is_ours(change, candidate, plan.active_sigel, self._there(made)):
                return record
        return None

    def _there(self, moment_here: datetime) -> datetime:
        """Return a moment of ours by the server's clock, a little early."""
        answered = self._reader.server_time()
        if answered is None:
            return moment_here - CLOCKS
        return moment_here + (answered - self._clock.now()) - A_LITTLE


def _there_already(change: PlannedChange, record: str) -> Sentence:
    return Sentence("unknown_bib_made", change=change.number, record=record)


def candidate_of(reader: CatalogueReader, record: str) -> Candidate | None:
    """Read a record that may be the one that was created; None where it has gone meanwhile."""
    newest = reader.read(record)
    if not isinstance(newest, Found):
        return None
    return Candidate(
        record=record,
        first=first_version(reader, newest),
        newest=Version(document=newest.document, etag=newest.etag),
    )


def first_version(reader: CatalogueReader, newest: Found | Gone) -> Document | None:
    """Return a record as it was created; None where that cannot be read."""
    if isinstance(newest, Found):
        fields = record_part(newest.document)
        if fields.get("created") == fields.get("modified"):
            return newest.document
    oldest = reader.read_version(newest.record, 0)
    return oldest.document if isinstance(oldest, Found) else None


def _is_new_bib(change: PlannedChange) -> bool:
    return change.action is Action.CREATE and change.kind == "bib"


def _has_name(change: PlannedChange) -> bool:
    return any(identifiers_of(change.predicted or {}))


def _is_seen(change: PlannedChange) -> bool:
    """Return True where the record itself says whether and by whom the change was made."""
    new_holding = change.action is Action.CREATE and change.kind == "holding"
    return change.action is Action.UPDATE or (new_holding and not change.prerequisites)
