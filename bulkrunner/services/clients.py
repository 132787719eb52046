"""API clients: what they did, the notice when one is used no more, and what stands in their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bulkrunner.domain.environment import Environment, Kind, host_of
from bulkrunner.domain.ledger_port import Client, Ledger
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.rights import Rights
from bulkrunner.domain.run import Run, RunState
from bulkrunner.errors import AccessLost, BulkRunnerError, UsageError
from bulkrunner.sentences import VERBATIM, Sentence, as_sentence
from bulkrunner.services.recurring import StandingApprovals
from bulkrunner.services.running.lease import Drivers


@dataclass(frozen=True, kw_only=True)
class Retired:
    """A client that is used no more; ``unfinished`` are the runs that it leaves so."""

    client: Client
    plans: tuple[Plan, ...]
    unfinished: tuple[Run, ...]


class ClientService:
    """Reads and retires clients."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def listed(self) -> list[dict[str, Any]]:
        """Return every client with what it did, as plain data."""
        runs, plans = self._known()
        return [_as_data(client, runs, plans) for client in self._ledger.clients.all()]

    def require_in_use(self, environment: str, client: str) -> None:
        """Raise AccessLost if the client was retired."""
        for found in self._ledger.clients.all():
            if (found.environment, found.client) == (environment, client) and found.retired_at:
                raise AccessLost(
                    Sentence(
                        "client_not_used_more",
                        client=client,
                        environment=environment,
                        at=found.retired_at,
                        by=found.retired_by,
                    ),
                    hint=Sentence("client_not_used_more_hint"),
                    code="client_retired",
                )

    def idle(self, days: float) -> list[Client]:
        """Return the clients that nobody has used for so many days, and nobody retired."""
        limit = self._clock.now() - timedelta(days=days)
        return [
            found
            for found in self._ledger.clients.all()
            if found.retired_at is None and found.last_used_at < limit
        ]

    def choose(self, environment: str, client: str | None, configured: str | None) -> str:
        """Return the client given, the configured one, or the only one that was used.

        UsageError: nobody knows which, or it was retired before.
        """
        here = [one for one in self._ledger.clients.all() if one.environment == environment]
        names = {one.client for one in here}
        if client is None:
            in_use = [one.client for one in here if one.retired_at is None]
            client = configured or (in_use[0] if len(in_use) == 1 else None)
            if client is None:
                listed = ", ".join(sorted(names)) or "none was used"
                raise UsageError(
                    Sentence("client_which", environment=environment, listed=listed),
                    hint=f"bulkrunner clients retire {environment} CLIENT",
                    code="unknown_client",
                )
        if client not in names and client != configured:
            raise UsageError(
                Sentence("client_unknown", client=repr(client[:80]), environment=environment),
                hint=Sentence("client_unknown_hint"),
                code="unknown_client",
            )
        return client

    def retire(self, environment: str, client: str, *, by: str, drivers: Drivers) -> Retired:
        """Note that a client is used no more; nothing is planned or run with it from now on.

        UsageError: a run that it drives is going on, or it was retired before.
        """
        for found in self._ledger.clients.all():
            if (found.environment, found.client) == (environment, client) and found.retired_at:
                raise UsageError(
                    Sentence(
                        "client_retired_before",
                        client=client,
                        environment=environment,
                        retired_at=found.retired_at,
                    ),
                    hint="bulkrunner clients",
                    code="client_retired_before",
                )
        runs, plans = self._known()
        mine = self._runs_of(environment, client, runs)
        for run in mine:
            if run.state is RunState.RUNNING and not drivers.is_left(run):
                raise UsageError(
                    Sentence("client_run_going", run=run.id),
                    hint=Sentence("client_in_use_hint", run=run.id),
                    code="still_running",
                )
        self._end_standing(environment, client, by=by)
        retired = self._ledger.clients.retire(environment, client, by=by, at=self._clock.now())
        names = [use.use for use in retired.uses]
        used = [runs[name].plan if name in runs else name for name in names]
        return Retired(
            client=retired,
            plans=tuple(plans[name] for name in dict.fromkeys(used) if name in plans),
            unfinished=tuple(run for run in mine if run.state is not RunState.COMPLETED),
        )

    def _end_standing(self, environment: str, client: str, *, by: str) -> None:
        """End the standing approvals of plans that a client made."""
        runs, plans = self._known()
        uses = {
            use.use
            for one in self._ledger.clients.all()
            if (one.environment, one.client) == (environment, client)
            for use in one.uses
        }
        made = {runs[use].plan if use in runs else use for use in uses}
        service = StandingApprovals(self._ledger, self._clock)
        for job in sorted({plans[name].job for name in made if name in plans}):
            for basis in service.given(job):
                if basis.approved.id in made and service.ended(basis) is None:
                    reason = Sentence("standing_client_retired", client=client)
                    self._ledger.standing.end(basis.approved.id, by=by, reason=reason)

    def _runs_of(self, environment: str, client: str, runs: Mapping[str, Run]) -> list[Run]:
        return [
            runs[use.use]
            for one in self._ledger.clients.all()
            if (one.environment, one.client) == (environment, client)
            for use in one.uses
            if use.use in runs
        ]

    def _known(self) -> tuple[dict[str, Run], dict[str, Plan]]:
        return (
            {run.id: run for run in self._ledger.runs.all()},
            {plan.id: plan for plan in self._ledger.plans.all()},
        )


def _as_data(client: Client, runs: Mapping[str, Run], plans: Mapping[str, Plan]) -> dict[str, Any]:
    uses = []
    for use in client.uses:
        run = runs.get(use.use)
        plan = plans.get(run.plan if run else use.use)
        uses.append(
            {
                "use": use.use,
                "what": "run" if run else "plan" if plan else None,
                "job": plan.job if plan else None,
                "state": run.state.value if run else plan.state.value if plan else None,
                "first_used_at": use.first_used_at.isoformat(),
                "last_used_at": use.last_used_at.isoformat(),
            }
        )
    return {
        "environment": client.environment,
        "client": client.client,
        "first_used_at": client.first_used_at.isoformat(),
        "last_used_at": client.last_used_at.isoformat(),
        "last_use": client.last_use,
        "retired_at": client.retired_at.isoformat() if client.retired_at else None,
        "retired_by": client.retired_by or None,
        "uses": uses,
    }


def notice(retired: Retired, environment: Environment, *, by: str, at: datetime) -> str:
    """Return the text by which KB is told that use of a client has ceased."""
    client = retired.client
    never = not client.last_use
    values = {
        "client": client.client,
        "environment": environment.name,
        "base_url": environment.base_url,
        "token_url": environment.token_url,
        "first": f"{client.first_used_at:%Y-%m-%d}",
        "last": f"{client.last_used_at:%Y-%m-%d}",
        "sigels": ", ".join(_sigels(retired.plans)) or "–",
        "jobs": ", ".join(dict.fromkeys(plan.job for plan in retired.plans)) or "–",
        "references": ", ".join(_references(retired.plans)) or "–",
        "by": by,
        "day": f"{at:%Y-%m-%d}",
    }
    texts = (_SV_NEVER, _EN_NEVER) if never else (_SV, _EN)
    return "\n".join(text.format(**values) for text in (*texts[:1], _LINE, *texts[1:]))


def _sigels(plans: Sequence[Plan]) -> list[str]:
    named = {str(sigel) for plan in plans for sigel in plan.manifest.get("sigels") or ()}
    return sorted(named)


def _references(plans: Sequence[Plan]) -> list[str]:
    found = [(plan.manifest.get("agreement") or {}).get("reference") for plan in plans]
    return list(dict.fromkeys(str(reference) for reference in found if reference))


_LINE = "-" * 72 + "\n"

_SV_HEAD = """\
Till Libris kundservice, Kungl. biblioteket

Avslut av API-konto

Vi använder inte längre API-klienten {client} och ber KB att stänga av kontot.

Klient-id: {client}
Miljö: {environment} ({base_url})
Inloggning: {token_url}
"""

_EN_HEAD = """\
To Libris customer service, National Library of Sweden

End of use of an API account

We no longer use the API client {client} and ask KB to deactivate the account.

Client id: {client}
Environment: {environment} ({base_url})
Login: {token_url}
"""

_SV = (
    _SV_HEAD
    + """\
Använd: från {first} till {last}
Bibliotek: {sigels}
Jobb: {jobs}
Överenskommelser: {references}

Klienten är spärrad hos oss från {day}, och dess hemlighet tas bort.
Enligt KB:s regler ska det anmälas när användningen upphör.

{by}, {day}
"""
)

_EN = (
    _EN_HEAD
    + """\
Used: from {first} to {last}
Libraries: {sigels}
Jobs: {jobs}
Agreements: {references}

The client is blocked on our side from {day}, and its secret is removed.
KB's rules ask that it is reported when usage ceases.

{by}, {day}
"""
)

_SV_NEVER = _SV_HEAD + "Användes aldrig härifrån.\n\n{by}, {day}\n"
_EN_NEVER = _EN_HEAD + "Never used from here.\n\n{by}, {day}\n"


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
