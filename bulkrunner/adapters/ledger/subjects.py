"""Which rows the events of each kind write, and the columns that their digests cover."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Table

from bulkrunner.adapters.ledger.rows import (
    ANSWER,
    APPROVAL,
    CLIENT_RETIRED,
    CLIENT_USE,
    INTENT,
    PLAN,
    RESULT,
    RUN,
)
from bulkrunner.adapters.ledger.schema import (
    approvals,
    attempts,
    client_uses,
    clients,
    plans,
    results,
    runs,
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The rows that events of a kind write.

    Attributes:
        columns: that the event's digest covers. keys: columns that tell the rows of one chain
            apart, each with the name of its value in the event. mark: column with the position of
            the event that wrote the row last.
    """

    table: Table
    columns: tuple[str, ...]
    keys: dict[str, str]
    mark: str = "event"


_ATTEMPT_KEYS = {"change": "change", "number": "attempt"}
_INTENT = Subject(table=attempts, columns=INTENT, keys=_ATTEMPT_KEYS)
_ANSWER = Subject(table=attempts, columns=ANSWER, keys=_ATTEMPT_KEYS, mark="answer_event")
_RESULT = Subject(table=results, columns=RESULT, keys={"change": "change"})
_RUN = Subject(table=runs, columns=RUN, keys={"id": "chain"})
_PLAN = Subject(table=plans, columns=PLAN, keys={"id": "plan"})
_APPROVAL = Subject(table=approvals, columns=APPROVAL, keys={"event": "position"})

_CLIENT_USE = Subject(
    table=client_uses,
    columns=CLIENT_USE,
    keys={name: name for name in ("environment", "client", "use")},
)
_CLIENT = Subject(
    table=clients,
    columns=CLIENT_RETIRED,
    keys={name: name for name in ("environment", "client")},
)

SUBJECTS = {
    "intent": _INTENT,
    "answer": _ANSWER,
    "outcome": _RESULT,
    "started": _RUN,
    "moved": _RUN,
    "plan_begun": _PLAN,
    "plan_interrupted": _PLAN,
    "plan_reopened": _PLAN,
    "plan_finished": _PLAN,
    "approved": _APPROVAL,
    "rejected": _APPROVAL,
    "client_used": _CLIENT_USE,
    "client_retired": _CLIENT,
}


ALL = tuple({id(subject): subject for subject in SUBJECTS.values()}.values())
