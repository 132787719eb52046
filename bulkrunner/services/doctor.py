"""``doctor``: what would stand in the way of a job, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.environment import Environment, Kind, host_of
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.rights import Rights
from bulkrunner.errors import BulkRunnerError
from bulkrunner.sentences import VERBATIM, Sentence, as_sentence

# Seconds between our clock and the server's that are worth a word.
SKEW = 60.0

# An id of the right form that no record has; asking for it shows that the catalogue answers.
NOBODY = "bcdfghjklmnpqrs"


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One environment, looked at."""

    name: str
    facts: dict[str, Any]
    problems: tuple[Sentence, ...]

    def as_document(self) -> dict[str, Any]:
        return {"environment": self.name, **self.facts, "problems": list(self.problems)}

    def lines(self) -> Iterator[tuple[int, Sentence]]:
        """Yield what people read: blanks before a sentence, and the sentence."""
        where = {"name": self.name, "url": self.facts["base_url"]}
        if self.facts["kind"] == Kind.PRODUCTION:
            yield 0, Sentence("doctor_production", **where)
        else:
            yield 0, Sentence("doctor_test", **where)
        yield 2, Sentence("doctor_login", url=self.facts["token_url"])
        for sigel in self.facts["rights"] or ():
            granted = [
                name for name in ("registrant", "cataloger", "global_registrant") if sigel[name]
            ]
            if granted:
                yield 2, Sentence("doctor_rights", sigel=sigel["sigel"], granted=granted)
            else:
                yield 2, Sentence("doctor_no_rights", sigel=sigel["sigel"])
        for problem in self.problems:
            yield 2, Sentence("doctor_problem", problem=problem)
        if not self.problems:
            yield 2, Sentence("doctor_well")


class Doctor:
    """Looks at environments one by one; never writes."""

    def __init__(
        self,
        clock: Clock,
        *,
        connect: Callable[[Environment], AbstractContextManager[CatalogueReader]],
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
        problems: list[Sentence] = []
        try:
            with self._connect(environment) as reader:
                self._ask(reader, facts, problems)
        except BulkRunnerError as error:
            problems.append(_told(error))
        return Examined(name=environment.name, facts=facts, problems=tuple(problems))

    def _ask(
        self, reader: CatalogueReader, facts: dict[str, Any], problems: list[Sentence]
    ) -> None:
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


def _told(error: BulkRunnerError) -> Sentence:
    """Return what is wrong, without the id that was asked for: it is nobody's, and means nothing."""
    if error.advice is None:
        return _without_id(error.said)
    return _without_id(Sentence("problem_with_hint", problem=error.said, hint=error.advice))


def _without_id(said: Sentence) -> Sentence:
    values = {name: _known(value) for name, value in said.values.items()}
    if said.key == VERBATIM:
        return as_sentence(values["text"])
    return Sentence.from_data({"say": said.key, **values})


def _known(value: Any) -> Any:
    if isinstance(value, Sentence):
        return _without_id(value)
    if isinstance(value, str) and NOBODY in value:
        before, _, after = value.partition(NOBODY)
        return Sentence("doctor_no_such", before=before, after=_known(after))
    return tuple(map(_known, value)) if isinstance(value, tuple) else value
