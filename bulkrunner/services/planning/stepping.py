"""What a step does with one record, as an operation of its own."""

from __future__ import annotations

from bulkrunner.domain.job import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.steps import StepCreate, StepDelete, StepEntry, StepUpdate


def operation_of(entry: StepEntry, ref: str) -> Operation:
    """Return the operation that a step is on one record.

    Args:
        entry: of the step.
        ref: the record, or the bib that a holding is created on: short id or legacy IRI.
    """
    step = entry.step
    match step.action:
        case StepUpdate(changes=changes, resave=resave):
            return Update(
                source=entry.source,
                target=ref,
                changes=changes,
                resave=resave,
                expect=step.expect,
            )
        case StepDelete():
            return Delete(source=entry.source, target=ref, expect=step.expect)
        case StepCreate(sigel=sigel, body=body, record=record):
            return Create(
                source=entry.source,
                creates=Creates.HOLDING,
                sigel=sigel,
                of=ref,
                body=body,
                record=record,
            )
        case _:
            raise NotImplementedError(f"{type(step.action).__name__} is no single operation")
