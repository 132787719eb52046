"""Keeps a ledger: documents of old runs are dropped, a copy is taken up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bulkrunner.domain.ledger_port import Ledger, Restoration
from bulkrunner.domain.plan import Plan, PlanState
from bulkrunner.domain.run import RunState
from bulkrunner.errors import ChainBroken, LedgerUnavailable, UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.settle import stated


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """What a compaction did; bytes of the ledger's file are None where it is none.

    ``kept``: id → why a plan's documents stay. ``untidied``: why the file stays as large as it was.
    """

    plans: tuple[str, ...]
    kept: dict[str, str]
    documents: int = 0
    untidied: str = ""
    before: int | None = None
    after: int | None = None


class LedgerKeeper:
    """``ledger compact`` and ``ledger restore``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def compact(self, before: str) -> Compacted:
        """Drop documents of plans made, and whose runs ended, before a day or the start of a run.

        UsageError: it is neither; or the ledger does not fit its chain.
        """
        limit = self._limit(before)
        if fault := self._ledger.chain.verify():
            raise UsageError(
                Sentence("ledger_broken", fault=fault),
                hint="bulkrunner ledger check",
            )
        done = self._ledger.compactions.compacted()
        chosen, kept = [], {}
        for plan in self._ledger.plans.all():
            if plan.id in done or plan.created_at >= limit:
                continue
            if reason := self._needed(plan, limit):
                kept[plan.id] = reason
            else:
                chosen.append(plan.id)
        if not chosen:
            return Compacted(plans=(), kept=kept)
        size = self._ledger.compactions.size()
        documents = self._ledger.compactions.compact(chosen)
        return Compacted(
            plans=tuple(sorted(chosen)),
            kept=kept,
            documents=documents,
            untidied=self._tidied(),
            before=size,
            after=self._ledger.compactions.size(),
        )

    def restore(self, *, by: str, reason: str, recorded_by: str) -> Restoration:
        """Enter that this ledger is used, by a person's word; ChainBroken if it does not fit."""
        by, reason = stated("--by", by), stated("--reason", reason)
        if fault := self._ledger.chain.verify():
            raise ChainBroken(
                Sentence("ledger_broken", fault=fault),
                hint=Sentence("ledger_broken_copy_hint"),
            )
        return self._ledger.provenance.restore(by=by, reason=reason, recorded_by=recorded_by)

    def _tidied(self) -> str:
        try:
            self._ledger.compactions.tidy()
        except LedgerUnavailable as error:
            return error.message
        return ""

    def _limit(self, before: str) -> datetime:
        try:
            day = datetime.strptime(before, "%Y-%m-%d")  # noqa: DTZ007 — made aware below
        except ValueError:
            return self._ledger.runs.get(before).started_at
        return day.replace(tzinfo=UTC)

    def _needed(self, plan: Plan, limit: datetime) -> str:
        """Return why a plan's documents stay; empty where nothing needs them but an undo."""
        if plan.state is not PlanState.COMPLETE:
            return "is not complete"
        for run in self._ledger.runs.all(plan=plan.id):
            if run.state is not RunState.COMPLETED:
                return f"run {run.id} is {run.state}"
            if run.finished_at is None or run.finished_at >= limit:
                return f"run {run.id} ended later"
        return ""


def refuse_compacted(ledger: Ledger, plan: str, what: Sentence) -> None:
    """Raise UsageError, that ``what`` cannot be done, if a plan's documents were dropped."""
    if plan in ledger.compactions.compacted():
        raise UsageError(
            Sentence("documents_dropped", plan=plan, what=what),
            hint=Sentence("documents_dropped_hint"),
            code="compacted",
        )
