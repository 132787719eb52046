"""Carries out one change in a thread; whatever goes wrong with it stays with it where it can."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from bulkrunner.domain.operations import references_in, with_records
from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import EndedAs, Outcome, Result, RunState, outcome_word
from bulkrunner.domain.run_ledger import WorkItem
from bulkrunner.domain.settlement.attempts import may_have_written
from bulkrunner.errors import (
    AccessLost,
    BulkRunnerError,
    CatalogueUnreachable,
    Interrupted,
    LeaseLost,
)
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.context import RunContext, Work
from bulkrunner.services.running.control import OutcomeCounter, Stopped
from bulkrunner.services.running.creations import Creation
from bulkrunner.services.running.dispatch import PREREQUISITE
from bulkrunner.services.running.existing_records import ExistingRecord
from bulkrunner.services.running.sending import carry_out
from bulkrunner.services.running.throttle import LeftOut

log = logging.getLogger(__name__)

# Error code of an answer that is no record; asking again would not help.
UNREADABLE_RECORD = "unreadable_record"

# Outcomes of a change after which those that wait for it are sent.


class Worker:
    """What the crew's threads do."""

    def __init__(self, context: RunContext, counter: OutcomeCounter) -> None:
        self._context = context
        self._counter = counter

    def carry_out(self, item: WorkItem) -> None:
        """Carry out a change and store its outcome; without one it stays pending."""
        change = item.change
        work = Work(
            change=change,
            attempts=list(item.attempts),
            confirm_fully=self._context.confirm_fully or self._counter.is_watched(change.number),
        )
        result = self._result(work)
        if result is None:
            return
        result = replace(result, decided_at=self._context.clock.now())
        self._context.journal.conclude(change.number, result)
        self._counter.add(change.number, result)

    def _prerequisite(self, work: Work) -> Result | None:
        """Return the refusal of a change that is left out, or whose prerequisites ended badly.

        What was sent already is settled like any other. Stopped: a prerequisite is still pending.
        """
        if work.attempts:
            return None
        if self._context.leaves_out(work):
            return self._context.throttle.terms.refusal()
        numbers = work.change.prerequisites
        ended = self._context.journal.ended_as(numbers) if numbers else {}
        bad = [number for number in numbers if not _ended_well(ended.get(number))]
        if any(number not in ended for number in bad):
            raise Stopped  # they were left pending, as the run ends
        return _unmet(bad, ended) if bad else None

    def _refer(self, work: Work) -> Result | None:
        """Put the ids of records that other changes of this run created into the change."""
        change = work.change
        numbers = sorted(references_in(change.after).intersection(change.prerequisites))
        if not numbers:
            return None
        ended = self._context.journal.ended_as(numbers)
        records = {number: ended[number].record for number in numbers if number in ended}
        missing = [number for number in numbers if not records.get(number)]
        if missing:
            return Result(
                outcome=Outcome.REFUSED,
                code=PREREQUISITE,
                message=Sentence("created_record_unknown", change=missing[0]),
                detail={"prerequisites": missing},
            )
        known = {number: record for number, record in records.items() if record}
        work.change = with_records(change, known, self._context.iris)
        work.refers = True
        return None

    def _result(self, work: Work) -> Result | None:
        try:
            return self._carried_out(work)
        except Stopped:
            return None
        except LeftOut:
            return self._context.throttle.terms.refusal()
        except AccessLost as error:
            self._context.control.fail(error, RunState.STOPPED)
            return None
        except CatalogueUnreachable as error:
            if error.code == UNREADABLE_RECORD:
                return _unreadable(work, error)
            self._interrupted(error)
            return None
        except Interrupted as error:
            self._interrupted(error)
            return None
        except BulkRunnerError as error:
            self._context.control.fail(error)
            return None
        except Exception as error:
            log.exception("change %d failed inside the program", work.change.number)
            return self._confined(work, error)

    def _carried_out(self, work: Work) -> Result:
        result = self._prerequisite(work) or self._refer(work)
        if result is None:
            kind = Creation if work.change.action is Action.CREATE else ExistingRecord
            sendable = kind(self._context, work)
            result = _with_content(work, carry_out(self._context, work, sendable))
        # Whoever drives the run now decides; what this process knows may be old.
        self._context.lease.require()
        return result

    def _interrupted(self, error: Interrupted) -> None:
        # Whoever waits while the run ends is interrupted; that is no reason of its own.
        if self._context.control.ending is None or isinstance(error, LeaseLost):
            self._context.control.fail(error)

    def _confined(self, work: Work, error: Exception) -> Result:
        """Return the outcome of a change that failed unforeseen; if it may be written, end."""
        told = f"{type(error).__name__}: {error}"[:460]
        if not may_have_written(work.attempts):
            return Result(
                outcome=Outcome.FAILED,
                code="internal_error",
                message=Sentence("fault_of_program_unsent", error=told),
            )
        self._context.control.fail(error)
        message = Sentence("fault_of_program", error=told)
        return Result(outcome=Outcome.UNKNOWN, code="internal_error", message=message)


def _ended_well(ended: EndedAs | None) -> bool:
    return ended is not None and ended.outcome.is_well


def _with_content(work: Work, result: Result) -> Result:
    """Return a result with the content written, where the plan does not hold that very content."""
    if not work.refers or result.outcome is not Outcome.APPLIED or result.stored is not None:
        return result
    return replace(result, stored=work.change.predicted)


def _unmet(bad: list[int], ended: Mapping[int, EndedAs]) -> Result:
    listed = [
        Sentence("change_ended", change=number, outcome=outcome_word(ended[number].outcome))
        for number in bad[:5]
    ]
    message = (
        Sentence("prerequisites_unmet_more", ended=listed, more=len(bad) - 5)
        if bad[5:]
        else Sentence("prerequisites_unmet", ended=listed)
    )
    return Result(
        outcome=Outcome.REFUSED,
        code=PREREQUISITE,
        message=message,
        detail={"prerequisites": bad},
    )


def _unreadable(work: Work, error: CatalogueUnreachable) -> Result:
    """The one record is not as records are: nobody can say how it stands, and it is left alone."""
    sent = may_have_written(work.attempts)
    return Result(
        outcome=Outcome.UNKNOWN if sent else Outcome.REFUSED,
        code=UNREADABLE_RECORD,
        message=error.said,
    )
