"""Earlier states of records: a version, or what a record was before the runs of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bulkrunner.domain.answers import Found, Gone
from bulkrunner.domain.dates import Span, parse_span
from bulkrunner.domain.decisions import Version, by_and_when
from bulkrunner.domain.fingerprint import before_fingerprint
from bulkrunner.domain.job import Source
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import Action, Plan, record_key
from bulkrunner.domain.ports import CatalogueReader, Ledger
from bulkrunner.domain.records import Document, last_modifier, modified
from bulkrunner.domain.run import Outcome, Run
from bulkrunner.domain.undo import Restore, as_stored
from bulkrunner.services.planning.steps import Known
from bulkrunner.services.written import Search, by_a_later_run

_NOWHERE = Source(file="")


def changed_since(run: str, found: Found, who: str) -> Refusal:
    """Return that a record is not as a run left it; ``who``: as ``by_a_later_run`` says."""
    facts = by_and_when(found.document)
    return Refusal(
        code="changed_since",
        message=f"edited by {facts['by'] or 'somebody'} at {facts['when']}, after run {run}{who}; "
        "it is not overwritten",
        hint="look at the record and restore it by hand where that is right",
    )


MAX_BACK = 200
"""Versions of one record that are looked through."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A day or time as it was written, and what it is."""

    text: str
    span: Span


@dataclass(frozen=True, kw_only=True)
class _Saved:
    """A version of a record, and when it was saved."""

    document: Document
    saved: Span


class States:
    """Finds earlier content of a record; thread safe."""

    def __init__(self, reader: CatalogueReader, ledger: Ledger, plan: Plan) -> None:
        """Look at the history of a plan's environment; runs begun later than it do not count."""
        self._reader = reader
        self._ledger = ledger
        self._plan = plan
        self._search = Search(reader)

    def version(self, record: str, number: int) -> Document | Refusal:
        """Return a version of a record, or why there is none.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        answer = self._reader.read_version(record, number)
        if isinstance(answer, Found):
            return answer.document
        if isinstance(answer, Gone):
            return Refusal(
                code="version_deleted",
                message=f"version {number} of the record is its deletion, which has no content",
                hint="name the version before it, or use delete where the record is to go",
            )
        return Refusal(
            code="no_version",
            message=f"the record has no version {number}",
            hint="-2 is the one before the newest, 0 the first",
        )

    def at(self, known: Known, moment: Moment) -> Document | Refusal:
        """Return what a record was when the moment began, or why that is not known."""
        for version in self._back(known):
            if isinstance(version, Refusal) or version.saved.is_before(moment.span):
                return version if isinstance(version, Refusal) else version.document
        return _no_version(
            f"the catalogue has no version of it from before {moment.text}",
            "take it off the list, or name a version: 0 is the first",
        )

    def before_edit_by(self, known: Known, sigel: str, since: Moment | None) -> Document | Refusal:
        """Return what a record was before a library's first edit, or why that is not known.

        Args:
            known: the record.
            sigel: of the library.
            since: edits before it do not count.
        """
        found: Document | None = None
        by_it = False
        for version in self._back(known):
            if isinstance(version, Refusal):
                return version
            if by_it:
                found = version.document
            if since is not None and version.saved.start < since.span.start:
                by_it = False
                break
            by_it = last_modifier(version.document) == sigel
        after = f" since {since.text}" if since is not None else ""
        if by_it:
            return _no_version(
                f"its first version is by {sigel}; before that there was no record",
                "to delete it use a job with delete; else name a version",
            )
        return found or Refusal(
            code="not_changed",
            message=f"{sigel} has not edited it{after}",
            hint="take it off the list",
        )

    def _back(self, known: Known) -> Iterator[_Saved | Refusal]:
        """Yield the versions of a record from the newest to the first; a refusal ends them."""
        document: Document | Refusal = known.before or {}
        for number in range(1, MAX_BACK + 1):
            if number > 1:
                document = self.version(known.record, -number)
            if isinstance(document, Refusal):
                if document.code != "no_version":
                    yield document
                return
            saved = parse_span(modified(document) or "")
            if saved is None:
                yield _no_version(
                    f"version {-number} of the record does not say when it was saved",
                    "name a version by its number",
                )
                return
            yield _Saved(document=document, saved=saved)
        yield _no_version(
            f"its newest {MAX_BACK} versions do not go back so far", "name a version by its number"
        )

    def before(self, known: Known, job: str, effect: str) -> Document | Refusal:
        """Return what a record was before the runs of a job, or why that is not brought back."""
        runs = [
            (run, plan.active_sigel)
            for plan in self._ledger.plans(job=job, environment=self._plan.environment)
            if plan.effect_digest == effect and plan.addresses == self._plan.addresses
            for run in self._ledger.runs(plan=plan.id)
            if run.started_at <= self._plan.created_at
        ]
        done = [one for run in runs if (one := self._applied(*run, known.record)) is not None]
        if not done:
            return self._not_changed(job, [run.id for run, _ in runs], known.record)
        newest, first = done[0], done[-1]
        if newest.change.action is Action.DELETE:
            return Refusal(
                code="changed_since",
                message=f"run {newest.run} of {job} deleted it, and somebody brought it back; "
                "it is not overwritten",
                hint="name a version instead, or restore it by hand",
            )
        now = Found(
            environment=self._plan.environment,
            record=known.record,
            iri="",
            document=known.before or {},
            etag=known.etag or "",
        )
        if not self._search.is_as_left(known.record, newest.left(), _version(now)):
            later = self._ledger.written_later(newest.run, [known.record])
            return changed_since(
                newest.run, now, by_a_later_run(later.get(known.record, ()), now.etag)
            )
        if any(not self._follows(later, earlier, now) for later, earlier in pairwise(done)):
            return Refusal(
                code="changed_since",
                message=f"somebody edited it between the runs of {job}; "
                "what it was before the first one is not brought back over that",
                hint="name a version instead, or restore it by hand",
            )
        old = first.wanted()
        if old is None:
            return Refusal(
                code="no_document",
                message=f"the ledger does not hold what it was before run {first.run}",
                hint="restore it by hand",
            )
        content: Document = as_stored(old, newest.change.after, now.document)
        return content

    def _applied(self, run: Run, sigel: str, record: str) -> Restore | None:
        """Return what a run did to a record that was there before it."""
        key = record_key(record)
        change = self._ledger.changes_of(run.plan, [key]).get(key)
        if change is None or change.action not in (Action.UPDATE, Action.DELETE):
            return None
        result = self._ledger.result_of(run.id, change.number)
        if result.outcome is not Outcome.APPLIED:
            return None
        return Restore(source=_NOWHERE, run=run.id, change=change, result=result, sigel=sigel)

    def _not_changed(self, job: str, runs: Sequence[str], record: str) -> Refusal:
        created = self._ledger.created(runs, {record}).get(record)
        if created is not None:
            return Refusal(
                code="version_deleted",
                message=f"run {created.run} of {job} created it; before that there was no record",
                hint="to delete it: bulkrunner undo, or a job with delete",
            )
        return Refusal(
            code="not_changed",
            message=f"no run of {job} here has changed it",
            hint="take it off the list",
        )

    def _follows(self, later: Restore, earlier: Restore, now: Found) -> bool:
        """Return True if a run found what the one before had left, or what that one had found."""
        then, first = later.change.before, earlier.change.before
        if then is None or first is None:
            return False
        if before_fingerprint(then) == before_fingerprint(first):
            return True
        left, found = earlier.left(), Version(document=then, etag=later.change.etag or "")
        if left.is_known(found):
            return True
        return left.is_as_left(found, self._search.written(now.record, left, _version(now)).version)


def _no_version(message: str, hint: str) -> Refusal:
    return Refusal(code="no_version", message=message, hint=hint)


def _version(found: Found) -> Version:
    return Version(document=found.document, etag=found.etag)
