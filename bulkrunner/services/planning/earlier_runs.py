"""What earlier runs of the job made here, and how it stands: a second plan takes up what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

from bulkrunner.domain.catalogue import Found, Gone
from bulkrunner.domain.dates import Span, parse_span
from bulkrunner.domain.fingerprints import before_fingerprint
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Operation, Source, Unreadable
from bulkrunner.domain.plan import Action, AppliedChange, Plan, left_key, record_key
from bulkrunner.domain.ports import CatalogueReader
from bulkrunner.domain.records import Document, last_modifier, modified
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.run import Outcome, Run
from bulkrunner.domain.run_ledger import LaterWrite
from bulkrunner.domain.settlement.attempts import Version, by_and_when
from bulkrunner.domain.settlement.updates import MAX_VERSIONS
from bulkrunner.domain.settlement.versions import Left
from bulkrunner.domain.steps import InputLine, StepEntry
from bulkrunner.domain.undo import Restore, as_stored, undo_digest, undone_by
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import Known
from bulkrunner.services.verify import Search, by_a_later_run

Item: TypeAlias = Operation | Unreadable | Restore | StepEntry | InputLine

"""What is resolved to planned changes; a line that is left out comes to none."""


class EarlierRuns:
    """Finds the change that an earlier run of the job applied for the same operation."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._undone = Undone(ledger, plan)
        run = {run.plan for run in ledger.runs.all(job=plan.job)}
        self._plans = [
            other.id
            for other in ledger.plans.all(job=plan.job, environment=plan.environment)
            if other.id in run and other.addresses == plan.addresses
        ]

    def made(self, digest: str | None) -> AppliedChange | None:
        """Return what a run has applied of what has this wish digest."""
        if not self._plans or digest is None:
            return None
        found = self._ledger.plans.made(self._plans, [digest])
        return None if digest in self._undone.among(found) else found.get(digest)

    def later_than(self, run: str, record: str) -> Sequence[LaterWrite]:
        """Return what runs after this one applied to a record, oldest first."""
        return self._ledger.runs.written_later(run, [record]).get(record, ())

    def deleted(self, bib: str, sigel: str) -> str | None:
        """Return the library's holding on a bib that a run of the job has deleted."""
        key = left_key(bib, sigel)
        for plan in self._plans:
            change = self._ledger.lookups.changes_of(plan, [key]).get(key)
            if change is not None and self.made(change.wish_digest()) is not None:
                return change.record
        return None


def is_in_history(
    reader: CatalogueReader, newest: Found, made: AppliedChange, *, active_sigel: str
) -> bool:
    """Tell whether the version that a run stored is one of the record's.

    It is not where the environment was filled anew since.

    Raises:
        CatalogueUnreachable: the environment does not answer.
    """
    left = Left.by_earlier(made, active_sigel)
    if left.is_ours(Version(document=newest.document, etag=newest.etag), None):
        return True
    for back in range(2, MAX_VERSIONS + 1):
        answer = reader.read_version(newest.record, -back)
        if not isinstance(answer, Found):
            return False
        if left.is_ours(Version(document=answer.document, etag=answer.etag), None):
            return True
    return False


class Undone:
    """Tells of what runs made whether an undo took it back since, and no undo of that undo did."""

    def __init__(self, ledger: Ledger, plan: Plan, *, others_before: bool = False) -> None:
        """Look at the undo jobs of the plan's environment.

        Args:
            ledger: that holds them.
            plan: whose environment is meant.
            others_before: only other jobs than the plan's, in runs begun before the plan.
        """
        self._ledger = ledger
        self._plan = plan
        self._others_before = others_before

    @cached_property
    def _plans(self) -> list[str]:
        """The undo jobs' plans; looked for once something is found that one may have undone."""
        plan, before = self._plan, self._others_before
        runs = self._ledger.runs.all() if before else ()
        begun = {run.plan for run in runs if run.started_at <= plan.created_at}
        return [
            other.id
            for other in self._ledger.plans.all(environment=plan.environment)
            if undone_by(other)
            and other.addresses == plan.addresses
            and (not before or (other.job != plan.job and other.id in begun))
        ]

    def among(self, made: Mapping[str, AppliedChange]) -> set[str]:
        """Return those of the operation digests whose change was taken back."""
        if not made or not self._plans:
            return set()
        undoing = {undo_digest(one.run, digest): digest for digest, one in made.items()}
        taken = self._ledger.plans.made(self._plans, list(undoing))
        again = self.among(taken)
        return {undoing[digest] for digest in taken if digest not in again}


_NOWHERE = Source(file="")


def changed_since(run: str, found: Found, who: str) -> Refusal:
    """Return that a record is not as a run left it; ``who``: as ``by_a_later_run`` says."""
    facts = by_and_when(found.document)
    return Refusal(
        code="changed_since",
        message=Sentence(
            "changed_since",
            by=facts["by"] or Sentence("somebody"),
            when=facts["when"],
            run=run,
            who=who,
        ),
        hint=Sentence("changed_since_hint"),
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
                message=Sentence("version_deleted", number=number),
                hint=Sentence("version_deleted_hint"),
            )
        return Refusal(
            code="no_version",
            message=Sentence("no_version", number=number),
            hint=Sentence("no_version_hint"),
        )

    def at(self, known: Known, moment: Moment) -> Document | Refusal:
        """Return what a record was when the moment began, or why that is not known."""
        for version in self._back(known):
            if isinstance(version, Refusal) or version.saved.is_before(moment.span):
                return version if isinstance(version, Refusal) else version.document
        return _no_version(
            Sentence("no_version_before", moment=moment.text), Sentence("no_version_before_hint")
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
        if by_it:
            return _no_version(
                Sentence("first_version_by", sigel=sigel), Sentence("first_version_by_hint")
            )
        return found or Refusal(
            code="not_changed",
            message=Sentence("not_edited_by", sigel=sigel)
            if since is None
            else Sentence("not_edited_since", sigel=sigel, since=since.text),
            hint=Sentence("take_off_list"),
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
                    Sentence("version_without_time", number=-number), Sentence("name_a_version")
                )
                return
            yield _Saved(document=document, saved=saved)
        yield _no_version(Sentence("versions_too_many", most=MAX_BACK), Sentence("name_a_version"))

    def before(self, known: Known, job: str, effect: str) -> Document | Refusal:
        """Return what a record was before the runs of a job, or why that is not brought back."""
        runs = [
            (run, plan.active_sigel)
            for plan in self._ledger.plans.all(job=job, environment=self._plan.environment)
            if plan.effect_digest == effect and plan.addresses == self._plan.addresses
            for run in self._ledger.runs.all(plan=plan.id)
            if run.started_at <= self._plan.created_at
        ]
        done = [one for run in runs if (one := self._applied(*run, known.record)) is not None]
        if not done:
            return self._not_changed(job, [run.id for run, _ in runs], known.record)
        newest, first = done[0], done[-1]
        if newest.change.action is Action.DELETE:
            return Refusal(
                code="changed_since",
                message=Sentence("deleted_and_brought_back", run=newest.run, job=job),
                hint=Sentence("version_instead"),
            )
        now = Found(
            environment=self._plan.environment,
            record=known.record,
            iri="",
            document=known.before or {},
            etag=known.etag or "",
        )
        if not self._search.is_as_left(known.record, newest.left(), _version(now)):
            later = self._ledger.runs.written_later(newest.run, [known.record])
            return changed_since(
                newest.run, now, by_a_later_run(later.get(known.record, ()), now.etag)
            )
        if any(not self._follows(later, earlier, now) for later, earlier in pairwise(done)):
            return Refusal(
                code="changed_since",
                message=Sentence("edited_between_runs", job=job),
                hint=Sentence("version_instead"),
            )
        old = first.wanted()
        if old is None:
            return Refusal(
                code="no_document",
                message=Sentence("no_document", run=first.run),
                hint=Sentence("restore_by_hand"),
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
                code="version_deleted",
                message=Sentence("created_by_run", run=created.run, job=job),
                hint=Sentence("created_by_run_hint"),
            )
        return Refusal(
            code="not_changed",
            message=Sentence("not_changed", job=job),
            hint=Sentence("take_off_list"),
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


def _no_version(message: Sentence, hint: Sentence) -> Refusal:
    return Refusal(code="no_version", message=message, hint=hint)


def _version(found: Found) -> Version:
    return Version(document=found.document, etag=found.etag)
