"""What KB agreed to: answers to plans, runs that rest on earlier ones, and API clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from bulkrunner.adapters.ledger.chain import (
    append_main,
    plain_row,
    position_of,
    read_head,
    row_digest,
)
from bulkrunner.adapters.ledger.codecs import APPROVAL, CLIENT_USE, approval_of, approval_row, pick
from bulkrunner.adapters.ledger.columns import said
from bulkrunner.adapters.ledger.tables import (
    MAIN_CHAIN,
    approvals,
    attempts,
    client_uses,
    clients,
    events,
    planned_changes,
    plans,
    results,
    runs,
    standing_claims,
    standing_ends,
)
from bulkrunner.adapters.ledger.witness import ALSO, TOTALS
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.domain.approvals import Approval
from bulkrunner.domain.ledger_port import Client, ClientUse
from bulkrunner.domain.plan import WRITING
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import RunState
from bulkrunner.domain.standing import DAY, Bounds, Claim, StandingEnd, over_day
from bulkrunner.errors import AnswerRefused, GateClosed
from bulkrunner.sentences import Sentence, stored_text


class Approvals(Part):
    """Part of the store."""

    def add(self, approval: Approval, *, known: int | None = None) -> None:
        """Store a yes or a no."""
        row = approval_row(approval)
        kind = "approved" if approval.approved else "rejected"
        count = select(func.count()).where(approvals.c.plan == approval.plan)
        with self._database.write() as connection:
            if known is not None and connection.scalar(count) != known:
                raise AnswerRefused(
                    Sentence("ledger_answered_meanwhile", plan=approval.plan),
                    hint=Sentence("ledger_answered_meanwhile_hint", plan=approval.plan),
                    code="answered_meanwhile",
                )
            data = {"plan": approval.plan, "row": row_digest(pick(row, APPROVAL))}
            event = append_main(connection, kind, data, at=self._clock.now())
            connection.execute(insert(approvals).values(**row, event=event))

    def of_plan(self, plan: str) -> list[Approval]:
        """Return answers to a plan, oldest first."""
        return self._answers(approvals.c.plan == plan)

    def of_job(self, job: str) -> list[Approval]:
        """Return answers to every plan of a job, oldest first."""
        return self._answers(approvals.c.plan.in_(select(plans.c.id).where(plans.c.job == job)))

    def _answers(self, wanted: ColumnElement[bool]) -> list[Approval]:
        query = select(approvals).where(wanted).order_by(approvals.c.seq)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [approval_of(row, given=self._given(row.head)) for row in rows]

    def _given(self, head: str | None) -> int:
        try:
            with self._database.read() as connection:
                found = position_of(connection, head) if head else None
        except ValueError:
            found = None
        return -1 if found is None else found


class Clients(Part):
    """Part of the store."""

    def note(self, environment: str, client: str, *, use: str, at: datetime) -> None:
        """Note that an API client was used; ``use`` says for what, e.g. a plan's or run's id."""
        named = {"environment": environment, "client": client}
        with self._database.write() as connection:
            total = self._noted(connection, clients, named, {"last_used_at": at, "last_use": use})
            row = self._noted(connection, client_uses, {**named, "use": use}, {"last_used_at": at})
            told = pick(row, CLIENT_USE)
            data = {
                **named,
                "use": use,
                "row": row_digest(told),
                ALSO: plain_row({"last_used_at": at}),
                TOTALS: plain_row(pick(total, _TOTAL)),
            }
            event = append_main(connection, "client_used", data, at=self._clock.now())
            moved = update(client_uses).where(_is(client_uses, {**named, "use": use}))
            connection.execute(moved.values(event=event))

    def _noted(
        self, connection: Connection, table: Table, key: dict[str, str], last: dict[str, Any]
    ) -> dict[str, Any]:
        """Store a use in a table, and return the row."""
        of_it = _is(table, key)
        if connection.execute(update(table).where(of_it).values(**last)).rowcount == 0:
            row = {**key, "first_used_at": last["last_used_at"], **last}
            if table is client_uses:
                row["event"] = 0  # the event that tells of the row is not there yet
            connection.execute(insert(table).values(**row))
        return dict(connection.execute(select(table).where(of_it)).one()._mapping)

    def retire(self, environment: str, client: str, *, by: str, at: datetime) -> Client:
        """Note that an API client is used no more."""
        key = (clients.c.environment == environment) & (clients.c.client == client)
        with self._database.write() as connection:
            if connection.scalar(select(clients.c.client).where(key)) is None:
                never = {"first_used_at": at, "last_used_at": at, "last_use": ""}
                row = {"environment": environment, "client": client, **never}
                connection.execute(insert(clients).values(**row))
            row = {
                "environment": environment,
                "client": client,
                "retired_at": at,
                "retired_by": by,
            }
            found = connection.execute(select(clients).where(key)).one()
            totals = plain_row(pick(dict(found._mapping), _TOTAL))
            named = {"environment": environment, "client": client}
            data = {**named, "row": row_digest(row), TOTALS: totals}
            event = append_main(connection, "client_retired", data, at=self._clock.now())
            values = {"retired_at": at, "retired_by": by, "event": event}
            connection.execute(update(clients).where(key).values(**values))
        return next(
            found
            for found in self.all()
            if (found.environment, found.client) == (environment, client)
        )

    def all(self) -> list[Client]:
        """Return the API clients that were used, the latest first, each with what it did."""
        uses: dict[tuple[str, str], list[ClientUse]] = {}
        with self._database.read() as connection:
            query = select(client_uses).order_by(client_uses.c.last_used_at.desc())
            for row in connection.execute(query):
                uses.setdefault((row.environment, row.client), []).append(
                    ClientUse(
                        use=row.use,
                        first_used_at=row.first_used_at,
                        last_used_at=row.last_used_at,
                    )
                )
            query = select(clients).order_by(clients.c.last_used_at.desc(), clients.c.environment)
            return [
                _client(row, tuple(uses.get((row.environment, row.client), ())))
                for row in connection.execute(query)
            ]


_TOTAL = ("first_used_at", "last_used_at", "last_use")


def _is(table: Table, key: dict[str, str]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in key.items()))


def _client(row: Row[Any], uses: tuple[ClientUse, ...]) -> Client:
    return Client(
        environment=row.environment,
        client=row.client,
        first_used_at=row.first_used_at,
        last_used_at=row.last_used_at,
        last_use=row.last_use,
        retired_at=row.retired_at,
        retired_by=row.retired_by or "",
        uses=uses,
    )


# What a change does: its action, the kind of its record, its pattern as stored.
Pattern = tuple[str, str, str]

_WRITING = [action.value for action in WRITING]


class StandingApprovals(Part):
    """Part of the store."""

    def patterns(self, plan: str, *, without: Collection[int] = ()) -> frozenset[Pattern]:
        """Return what a plan does, each kind of it once; changes of some numbers left out."""
        c = planned_changes.c
        query = select(c.action, c.kind, c.pattern).where(c.plan == plan, c.action.in_(_WRITING))
        if without:
            query = query.where(c.number.not_in(list(without)))
        with self._database.read() as connection:
            rows = connection.execute(query.distinct()).all()
        return frozenset((row.action, row.kind or "", said(row.pattern)) for row in rows)

    def claim(self, claim: Claim) -> None:
        """Store what a run that goes on claims. GateClosed: the bounds leave no room for it."""
        with self._database.write() as connection:
            store_claim(connection, claim, self._clock.now())

    def claims(self, rule: str = "") -> list[Claim]:
        """Return the claims under a rule, or all, oldest first."""
        query = select(standing_claims).order_by(standing_claims.c.event)
        if rule:
            query = query.where(standing_claims.c.rule == rule)
        with self._database.read() as connection:
            return [_claim(row) for row in connection.execute(query)]

    def claim_of(self, run: str) -> Claim | None:
        """Return what a run claimed last, None where it rests on no standing approval."""
        query = select(standing_claims).where(standing_claims.c.claimed_by == run)
        query = query.order_by(standing_claims.c.event.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _claim(row)

    def used(
        self, rule: str, addresses: Mapping[str, str], since: datetime, *, but: str = ""
    ) -> dict[str, int]:
        """Count what runs under a rule may have sent since, or may still send, by action."""
        with self._database.read(steady=True) as connection:
            return _used(connection, rule, addresses, since, but=but)

    def of_run(self, run: str, since: datetime) -> dict[str, int]:
        """Count what a run may have sent since, and what it has left to send, by action."""
        with self._database.read(steady=True) as connection:
            return dict(_of_run(connection, run, since, open_still=True))

    def end(self, plan: str, *, by: str, reason: str) -> None:
        """Note that the standing approvals of a plan have ended."""
        with self._database.write() as connection:
            kept = {"plan": plan, "ended_by": by, "reason": stored_text(reason)}
            row = {**kept, "ended_at": self._clock.now()}
            data = {"plan": plan, "row": row_digest(row)}
            event = append_main(connection, "standing_ended", data, at=self._clock.now())
            connection.execute(insert(standing_ends).values(**row, event=event))

    def ends(self, plan: str) -> list[StandingEnd]:
        """Return who ended the standing approvals of a plan, oldest first."""
        query = select(standing_ends).where(standing_ends.c.plan == plan)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(standing_ends.c.event)).all()
        return [
            StandingEnd(
                plan=row.plan,
                by=row.ended_by,
                reason=said(row.reason),
                ended_at=row.ended_at,
                event=row.event,
            )
            for row in rows
        ]


def store_claim(connection: Connection, claim: Claim, now: datetime) -> None:
    """Store a run's claim in the transaction in which it begins: two at once wait for each other."""
    read_head(connection, MAIN_CHAIN)  # held until the end of the transaction
    newest = connection.scalar(select(func.max(events.c.at)).where(events.c.chain == MAIN_CHAIN))
    at = max(now, datetime.fromisoformat(newest)) if newest else now
    if claim.bounds is not None:
        addresses = connection.scalar(select(plans.c.addresses).where(plans.c.id == claim.plan))
        used = _used(connection, claim.rule, addresses or {}, at - DAY, but=claim.run)
        mine = _of_run(connection, claim.run, at - DAY, open_still=True)
        if over := over_day(claim.bounds, used, mine):
            gate = GateResult(name="approval", open=False, reason=over)
            raise GateClosed(
                Sentence(
                    "gates_closed_one", gates=[Sentence("gate_told", gate=gate.said, reason=over)]
                ),
                gates=(gate,),
                hint=Sentence("gates_closed_hint"),
            )
    c = standing_claims.c
    count = connection.scalar(select(func.count()).where(c.claimed_by == claim.run)) or 0
    row = {
        "claimed_by": claim.run,
        "number": count + 1,
        "plan": claim.plan,
        "approved": claim.approved,
        "rule": claim.rule,
        "bounds": None if claim.bounds is None else claim.bounds.as_dict(),
        "claimed_at": at,
        "after": read_head(connection, claim.run).position,
    }
    data = {"run": claim.run, "number": count + 1, "row": row_digest(row)}
    event = append_main(connection, "standing_claimed", data, at=now)
    connection.execute(insert(standing_claims).values(**row, event=event))


def _used(
    connection: Connection, rule: str, addresses: Mapping[str, str], since: datetime, *, but: str
) -> dict[str, int]:
    found: Counter[str] = Counter()
    query = (
        select(runs.c.id, plans.c.addresses)
        .join_from(standing_claims, runs, runs.c.id == standing_claims.c.claimed_by)
        .join(plans, plans.c.id == runs.c.plan)
        .where(
            standing_claims.c.rule == rule,
            runs.c.id != but,
            or_(
                standing_claims.c.claimed_at >= since,
                runs.c.active_at >= since,
                runs.c.state == RunState.RUNNING.value,
            ),
        )
    )
    for run in {row.id for row in connection.execute(query) if row.addresses == dict(addresses)}:
        found.update(_of_run(connection, run, since))
    return dict(found)


def _of_run(
    connection: Connection, run: str, since: datetime, *, open_still: bool = False
) -> Counter[str]:
    """Count the changes of a run that may have been sent since, or may still be."""
    row = connection.execute(select(runs).where(runs.c.id == run)).one()
    c = standing_claims.c
    claims = connection.execute(
        select(standing_claims).where(c.claimed_by == run).order_by(c.number)
    ).all()
    late = [one for one in claims if one.claimed_at >= since]
    running = row.state == RunState.RUNNING.value
    open_still = open_still or running or (bool(late) and row.state != RunState.COMPLETED.value)
    sent = attempts.c.intent_at >= since
    # What a run sent after it began is known by the order of its events, whatever its clock says.
    if late or (running and claims):
        sent = or_(sent, attempts.c.event > (late[0] if late else claims[-1]).after)
    p, r = planned_changes.c, results.c
    tried = exists().where(attempts.c.run == run, attempts.c.change == p.number, sent)
    ended = exists().where(r.run == run, r.change == p.number)
    counted = or_(tried, not_(ended)) if open_still else tried
    query = select(p.action, func.count()).where(
        p.plan == row.plan, p.action.in_(_WRITING), counted
    )
    return Counter(
        {str(action): int(n) for action, n in connection.execute(query.group_by(p.action))}
    )


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        run=row.claimed_by,
        plan=row.plan,
        approved=row.approved,
        rule=row.rule,
        bounds=None if row.bounds is None else Bounds.from_dict(row.bounds),
        claimed_at=row.claimed_at,
        event=row.event,
    )
