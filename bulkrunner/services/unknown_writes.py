"""Looks for what the catalogue holds of a plan, though the ledger does not know that it was sent.

That is how a ledger is known that was set back with everything around it, as with the snapshot of a
machine, or of which two copies are in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from bulkrunner.domain.catalogue import Found, Gone
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import CLOCKS, Ledger
from bulkrunner.domain.plan import Action, Plan, PlannedChange
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.records import (
    Document,
    held_by,
    item_of,
    last_modifier,
    modified,
    record_part,
)
from bulkrunner.domain.run import Run
from bulkrunner.domain.settlement.attempts import Version, moment
from bulkrunner.domain.settlement.creates import Candidate, identifiers_of, is_ours
from bulkrunner.domain.settlement.updates import equals_after
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.sentences import Sentence

SAMPLE = 3
"""Changes that are looked at. One new bib that is there says enough, as it is made of the plan; what
a person may have done by hand says something only where all of it is there."""

MANY = 200
"""New bibs that the newest records of the catalogue are compared with."""

AHEAD = timedelta(hours=24)
"""The server's clock may be ahead of any that we know."""

A_LITTLE = timedelta(seconds=5)
"""What is not sure of the difference between two clocks that was just seen."""

MAX_FOUND = 20
"""Records that are looked at for one of the changes."""


class UnknownWrites:
    """Asks the catalogue about the first changes of a plan that were never sent."""

    def __init__(self, ledger: Ledger, clock: Clock, reader: CatalogueReader, iris: IriMap) -> None:
        self._ledger = ledger
        self._clock = clock
        self._reader = reader
        self._iris = iris

    def sign(self, plan: Plan, run: Run | None) -> str | None:
        """Return what says that a run wrote of which the ledger knows nothing; None: nothing does.

        Args:
            plan: that is about to be carried out.
            run: to be resumed, None at its start.
        """
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
