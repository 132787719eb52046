"""A person decides an outcome that could not be determined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.catalogue import Found
from bulkrunner.domain.fingerprints import create_fingerprint
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.records import is_holding, modified
from bulkrunner.domain.run import Outcome, Result, Run, outcome_word
from bulkrunner.domain.run_ledger import Ended
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

SETTLED = "settled"
"""Code of an outcome that a person decided."""

MAX_TEXT = 2000
"""Characters of a name or reason that are kept."""


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What a person says became of a change.

    Attributes:
        applied: whether it was carried out.
        record: of a create, the record that it made: short id or IRI.
        by: who decided. reason: why, and how it was found out.
        recorded_by: account@host of who records it.
    """

    applied: bool
    record: str | None
    by: str
    reason: str
    recorded_by: str


class Settling:
    """``settle``."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, read: Callable[[Run, str], Found | None]
    ) -> None:
        """Take parts.

        Args:
            ledger: where the outcome is stored.
            clock: for the time of the decision.
            read: reads a record of a run's environment; None where it is not there.
        """
        self._ledger = ledger
        self._clock = clock
        self._read = read

    def settle(self, run_prefix: str, change: str, said: Settlement) -> tuple[Run, Ended, Result]:
        """Store what a person found out of a change whose outcome is unknown.

        Args:
            run_prefix: run id or unique prefix.
            change: number in the plan, or ``PLAN.NUMBER``.
            said: the decision.

        Returns:
            The run, the change as it was, and its new result.

        Raises:
            UsageError: unknown run or change, an outcome that is known, a record that cannot be
                the one, an empty name or reason.
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
    """Return what a person states on one line.

    Raises:
        UsageError: it is empty.
    """
    value = "".join(letter if letter.isprintable() else " " for letter in value)
    value = " ".join(value.split())
    if not value:
        raise UsageError(Sentence("option_empty", option=option), hint=Sentence("settle_who_hint"))
    return value[:MAX_TEXT]
