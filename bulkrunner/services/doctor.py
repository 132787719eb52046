"""``doctor``: what would stand in the way of a job, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bulkrunner.domain.environment import Environment, host_of
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.rights import Rights
from bulkrunner.errors import BulkRunnerError
from bulkrunner.sentences import Sentence

SKEW = 60.0
"""Seconds between our clock and the server's that are worth a word."""

NOBODY = "bcdfghjklmnpqrs"
"""An id of the right form that no record has; asking for it shows that the catalogue answers."""


class TimedReader(CatalogueReader, Protocol):
    """A reader that also knows the server's clock."""

    def server_time(self) -> datetime | None:
        """Return the time of the server's last answer, None where it told none."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One environment, looked at."""

    name: str
    facts: dict[str, Any]
    problems: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """Return plain data."""
        return {"environment": self.name, **self.facts, "problems": list(self.problems)}

    def lines(self) -> Iterator[str]:
        """Yield what people read."""
        yield f"{self.name} ({self.facts['kind']}): {self.facts['base_url']}"
        yield f"  login {self.facts['token_url']}"
        for sigel in self.facts["rights"] or ():
            granted = [
                name for name in ("registrant", "cataloger", "global_registrant") if sigel[name]
            ]
            yield f"  {sigel['sigel']}: {', '.join(granted) or 'no rights'}"
        for problem in self.problems:
            yield f"  ! {problem}"
        if not self.problems:
            yield "  nothing stands in the way"


class Diagnosing:
    """Looks at environments one by one; never writes."""

    def __init__(
        self,
        clock: Clock,
        *,
        connect: Callable[[Environment], AbstractContextManager[TimedReader]],
    ) -> None:
        self._clock = clock
        self._connect = connect

    def examine(self, environment: Environment) -> Examined:
        """Ask login and catalogue whether this client could work there."""
        facts: dict[str, Any] = {
            "kind": environment.kind.value,
            "base_url": environment.base_url,
            "token_url": environment.token_url,
            "hosts": sorted({host_of(environment.base_url), host_of(environment.token_url)}),
            "rights": None,
            "reachable": None,
            "clock_skew_seconds": None,
        }
        problems: list[str] = []
        try:
            with self._connect(environment) as reader:
                self._ask(reader, facts, problems)
        except BulkRunnerError as error:
            problems.append(_told(error))
        return Examined(name=environment.name, facts=facts, problems=tuple(problems))

    def _ask(self, reader: TimedReader, facts: dict[str, Any], problems: list[str]) -> None:
        try:
            reader.read(NOBODY)
            facts["reachable"] = True
        except BulkRunnerError as error:
            facts["reachable"] = False
            problems.append(_told(error))
        theirs = reader.server_time()
        if theirs is not None:
            skew = (self._clock.now() - theirs).total_seconds()
            facts["clock_skew_seconds"] = round(skew, 1)
            if abs(skew) > SKEW:
                problems.append(Sentence("doctor_clock", seconds=f"{skew:.0f}"))
        rights: Rights = reader.rights()
        facts["rights"] = rights.as_dict()
        if not rights.permissions:
            problems.append(Sentence("doctor_no_sigel"))


def _told(error: BulkRunnerError) -> str:
    """Return what is wrong, without the id that was asked for: it is nobody's, and means nothing."""
    said = f"{error.message} ({error.hint})" if error.hint else error.message
    return said.replace(NOBODY, "a record that does not exist")
