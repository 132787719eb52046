"""Earlier content of records is found, and given back to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bulkrunner.domain.catalogue import Found, Gone
from bulkrunner.domain.expressions import Span, brief, parse_span
from bulkrunner.domain.expressions.expectations import check_expect
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.operations import Applied
from bulkrunner.domain.plan import Action, Plan, record_key
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import Document, held_by, last_modifier, modified
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.run import Outcome, Run
from bulkrunner.domain.settlement.attempts import Version
from bulkrunner.domain.steps import StepEntry, StepRevert
from bulkrunner.domain.text import library_said
from bulkrunner.domain.undo import Restore, as_stored, changed_paths, restored
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.contexts import (
    Contexts,
    admit,
    fit,
    looked_up,
    named_value,
    sigel_of,
)
from bulkrunner.services.planning.draft import Fields, Request, Target, UpdateIntent, demand
from bulkrunner.services.planning.earlier_runs import changed_since
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.verify import Search, by_a_later_run

_NOWHERE = Source(file="")

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
        """Return a version of a record, or why there is none."""
        answer = self._reader.read_version(record, number)
        if isinstance(answer, Found):
            return answer.document
        if isinstance(answer, Gone):
            return Refusal(
                "version_deleted",
                Sentence("version_deleted", number=number),
                Sentence("version_deleted_hint"),
            )
        return Refusal(
            "no_version", Sentence("no_version", number=number), Sentence("no_version_hint")
        )

    def at(self, target: Target, moment: Moment) -> Document | Refusal:
        """Return what a record was when the moment began, or why that is not target."""
        for version in self._back(target):
            if isinstance(version, Refusal) or version.saved.is_before(moment.span):
                return version if isinstance(version, Refusal) else version.document
        return _no_version(
            Sentence("no_version_before", moment=moment.text), Sentence("no_version_before_hint")
        )

    def before_edit_by(
        self, target: Target, sigel: str, since: Moment | None
    ) -> Document | Refusal:
        """Return what a record was before a library's first edit, or why that is not target."""
        found: Document | None = None
        by_it = False
        for version in self._back(target):
            if isinstance(version, Refusal):
                return version
            if by_it:
                found = version.document
            if since is not None and version.saved.start < since.span.start:
                by_it = False
                break
            by_it = last_modifier(version.document) == sigel
        if by_it:
            return _no_version(
                Sentence("first_version_by", sigel=sigel), Sentence("first_version_by_hint")
            )
        return found or Refusal(
            "not_changed",
            Sentence("not_edited_by", sigel=sigel)
            if since is None
            else Sentence("not_edited_since", sigel=sigel, since=since.text),
            Sentence("take_off_list"),
        )

    def _back(self, target: Target) -> Iterator[_Saved | Refusal]:
        """Yield the versions of a record from the newest to the first; a refusal ends them."""
        document: Document | Refusal = target.before or {}
        for number in range(1, MAX_BACK + 1):
            if number > 1:
                document = self.version(target.record, -number)
            if isinstance(document, Refusal):
                if document.code != "no_version":
                    yield document
                return
            saved = parse_span(modified(document) or "")
            if saved is None:
                yield _no_version(
                    Sentence("version_without_time", number=-number), Sentence("name_a_version")
                )
                return
            yield _Saved(document=document, saved=saved)
        yield _no_version(Sentence("versions_too_many", most=MAX_BACK), Sentence("name_a_version"))

    def before(self, target: Target, job: str, effect: str) -> Document | Refusal:
        """Return what a record was before the runs of a job, or why that is not brought back."""
        runs = [
            (run, plan.active_sigel)
            for plan in self._ledger.plans.all(job=job, environment=self._plan.environment)
            if plan.effect_digest == effect and plan.addresses == self._plan.addresses
            for run in self._ledger.runs.all(plan=plan.id)
            if run.started_at <= self._plan.created_at
        ]
        done = [one for run in runs if (one := self._applied(*run, target.record)) is not None]
        if not done:
            return self._not_changed(job, [run.id for run, _ in runs], target.record)
        newest, first = done[0], done[-1]
        if newest.change.action is Action.DELETE:
            return Refusal(
                "changed_since",
                Sentence("deleted_and_brought_back", run=newest.run, job=job),
                Sentence("version_instead"),
            )
        # A record that an earlier step met in a dump is known without its ETag.
        answer = self._reader.read(target.record) if target.etag is None else None
        now = (
            answer
            if isinstance(answer, Found)
            else Found(
                environment=self._plan.environment,
                record=target.record,
                iri="",
                document=target.before or {},
                etag=target.etag or "",
            )
        )
        if not self._search.is_as_left(target.record, newest.left(), _version(now)):
            later = self._ledger.runs.written_later(newest.run, [target.record])
            return changed_since(
                newest.run, now, by_a_later_run(later.get(target.record, ()), now.etag)
            )
        if any(not self._follows(later, earlier, now) for later, earlier in pairwise(done)):
            return Refusal(
                "changed_since",
                Sentence("edited_between_runs", job=job),
                Sentence("version_instead"),
            )
        old = first.wanted()
        if old is None:
            return Refusal(
                "no_document", Sentence("no_document", run=first.run), Sentence("restore_by_hand")
            )
        content: Document = as_stored(old, newest.change.after, now.document)
        return content

    def _applied(self, run: Run, sigel: str, record: str) -> Restore | None:
        """Return what a run did to a record that was there before it."""
        key = record_key(record)
        change = self._ledger.lookups.changes_of(run.plan, [key]).get(key)
        if change is None or change.action not in (Action.UPDATE, Action.DELETE):
            return None
        result = self._ledger.runs.result_of(run.id, change.number)
        if result.outcome is not Outcome.APPLIED:
            return None
        return Restore(source=_NOWHERE, run=run.id, change=change, result=result, sigel=sigel)

    def _not_changed(self, job: str, runs: Sequence[str], record: str) -> Refusal:
        created = self._ledger.runs.created(runs, {record}).get(record)
        if created is not None:
            return Refusal(
                "version_deleted",
                Sentence("created_by_run", run=created.run, job=job),
                Sentence("created_by_run_hint"),
            )
        return Refusal("not_changed", Sentence("not_changed", job=job), Sentence("take_off_list"))

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


def _no_version(message: Sentence, hint: Sentence) -> Refusal:
    return Refusal("no_version", message, hint)


def _version(found: Found) -> Version:
    return Version(document=found.document, etag=found.etag)


@dataclass(frozen=True, kw_only=True)
class Reverts:
    """Plans steps that give a record earlier content back; thread safe."""

    existing: Existing
    creations: Creations
    contexts: Contexts
    states: States

    def reverted(
        self, entry: StepEntry, action: StepRevert, request: Request, target: Target, look: Look
    ) -> Fields:
        """Return the fields of the update that gives the content back."""
        self.existing.meet(request, target, look)
        context = self.contexts.of_record(entry, target, look)
        to, pattern = _earlier_state(action, context)
        intent = UpdateIntent(operation={"update": target.name, "revert": to}, pattern=(pattern,))

        def admitted() -> None:
            fit(entry, target)
            admit(entry.step, context)
            demand(check_expect(context.document, entry.step.expect, self.contexts.iris, context))

        settled = self.existing.settled(request, target, intent, admitted)
        if settled is not None:
            return settled
        after = self._earlier(action, target, self.contexts.of_record(entry, target, look))
        now = target.now or {}
        self.creations.make_way(request, after, target, look)
        declared = tuple(changed_paths(now, after))
        return self.existing.updated(target, intent, Applied(document=after, declared=declared))

    def _earlier(self, action: StepRevert, target: Target, context: Context) -> Document:
        """Return the record with the content that is to come back."""
        if target.before is None:
            raise Refused("no_version", Sentence("not_yet_created"))
        old, now = self._state(action, target, context), target.now or {}
        if isinstance(old, Refusal):
            raise Refused.of(old)
        if held_by(old) != held_by(now):
            owner = Sentence("other_owner", sigel=library_said(held_by(old)))
            raise Refused("other_owner", owner, Sentence("other_owner_hint"))
        after: Document = restored(now, old)
        return after

    def _state(self, action: StepRevert, target: Target, context: Context) -> Document | Refusal:
        if action.version is not None:
            return self.states.version(target.record, action.version)
        if action.before is not None:
            return self.states.at(target, _moment(looked_up(action.before, context)))
        if action.edit_by is not None:
            since = None if action.since is None else _moment(looked_up(action.since, context))
            by = sigel_of(looked_up(action.edit_by, context))
            return self.states.before_edit_by(target, by, since)
        return self.states.before(target, action.job, action.effect_digest)


def _earlier_state(action: StepRevert, context: Context) -> tuple[Any, Sentence]:
    """Return which state is meant, as plain data, and the pattern of giving it back."""
    if action.version is not None:
        return action.version, Sentence("part_revert_to_version")
    if action.before is not None:
        return {"before": named_value(action.before, context)}, Sentence("part_revert_to_day")
    if action.edit_by is not None:
        values = {"before_edit_by": action.edit_by, "since": action.since}
        given = {key: value for key, value in values.items() if value is not None}
        named = {key: named_value(value, context) for key, value in given.items()}
        return named, Sentence("part_revert_to_edit")
    return {"job": action.job, "effect_digest": action.effect_digest}, Sentence(
        "part_revert_to_job"
    )


def _moment(value: Any) -> Moment:
    """Return a moment that a value names."""
    text = str(value).strip()
    span = parse_span(text)
    if span is None:
        raise Refused(
            "not_a_date", Sentence("not_a_date", text=brief(text)), Sentence("not_a_date_hint")
        )
    return Moment(text=text, span=span)
