"""What rows of the check tables are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.manifest import Declared
from bulkrunner.domain.run import Outcome
from bulkrunner.sandbox.accounts import Permission
from bulkrunner.sandbox.engine import Environment, Ticket
from bulkrunner.sandbox.wire import Response
from tests.support.executing import Rig

MARK = {"@type": "ShelfMark", "label": "Hc"}
LIBRARY = "https://libris.kb.se/library/"


@dataclass
class Scene:
    """One situation: records of its own, and what happens to them at a moment."""

    rig: Rig
    environment: Environment
    parts: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=dict)

    def holding(self, **body: Any) -> str:
        return self.rig.made_holding(self.rig.made_bib(), shelfMark=MARK, **body)

    def bib(self) -> str:
        return self.rig.made_bib()

    def fault(self, kind: str, method: str, **rule: Any) -> None:
        """Let writes of one method go wrong."""
        self.rig.control.fault(kind, method=method, path="^/[0-9b-z]{15,16}$|^/data$", **rule)

    def just_before(self, method: str, act: Callable[[], object]) -> None:
        """Do something when the first such write has arrived and is not yet worked on."""
        left = iter([act])

        def answer(ticket: Ticket) -> Response:
            request = ticket.request
            if ticket.seq and request.method == method and not request.path.startswith("/oauth/"):
                next(left, lambda: None)()
            return Environment.answer(self.environment, ticket)

        self.environment.answer = answer  # type: ignore[method-assign]

    def edit(self, record: str, **wish: Any) -> Callable[[], object]:
        """Somebody else's edit, to be done at a moment; must not wait for the server itself."""
        wish = {"changes": wish.pop("set", None), "sigel": "S", **wish}
        return lambda: self.environment.editor.edit(record, **wish)

    def delete(self, record: str) -> Callable[[], object]:
        return self.edit(record, delete=True)

    def only_rights(self, *permissions: dict[str, Any]) -> None:
        """Leave the client these rights and no other."""
        left = [Permission(**one) for one in permissions]
        self.environment.login.set_permissions("cataloguer", left)

    def library_gone(self, sigel: str = "Ylm") -> None:
        """Take the library's own record away."""
        record = self.environment.catalogue.owner(LIBRARY + sigel)
        assert record is not None
        self.environment.editor.edit(record.short_id, delete=True)


Steps = Iterator[Declared]
"""First what is to be planned; then, when it is planned, what happens."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One check of the server's, met by a run.

    Attributes:
        table, number: in the server's description. case: how it comes about.
        outcome: of the change; None: it is left pending and the run ends. exit_code: of the run.
        code, words: of the outcome, or of what ended the run. ``words`` are a part of the message.
    """

    table: str
    number: str
    case: str
    steps: Callable[[Scene], Steps]
    outcome: Outcome | None
    exit_code: int
    code: str
    words: str
    own_sandbox: bool = False

    @property
    def id(self) -> str:
        return f"{self.table} {self.number}: {self.case}"


class Rows:
    """Collects rows."""

    def __init__(self) -> None:
        self.all: list[Row] = []

    def add(
        self,
        place: str,
        case: str,
        outcome: Outcome | int,
        code: str = "",
        words: str = "",
        **more: Any,
    ) -> Callable[[Callable[[Scene], Steps]], Callable[[Scene], Steps]]:
        """Add a row; in place of an outcome the exit code with which the run ends."""
        table, _, number = place.partition(" ")
        ended = isinstance(outcome, Outcome)

        def take(steps: Callable[[Scene], Steps]) -> Callable[[Scene], Steps]:
            self.all.append(
                Row(
                    table=table,
                    number=number,
                    case=case,
                    steps=steps,
                    outcome=outcome if isinstance(outcome, Outcome) else None,
                    exit_code=(0 if outcome in WELL else 5) if ended else int(outcome),
                    code=code,
                    words=words,
                    **more,
                )
            )
            return steps

        return take


WELL = (Outcome.APPLIED, Outcome.UNCHANGED)
