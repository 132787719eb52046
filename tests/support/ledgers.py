"""Ledgers, plans and runs for tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bulkrunner.adapters.ledger import LedgerStore, open_ledger
from bulkrunner.domain.approvals import Approval
from bulkrunner.domain.plan import (
    Action,
    BibSummary,
    Part,
    Plan,
    PlannedChange,
    PlanState,
    plan_digest,
)
from bulkrunner.domain.run import Attempt, Lease, Outcome, Owner, Result, Run, RunState, Wait
from bulkrunner.domain.standing import Bounds, Claim
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Source

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OWNER = Owner(host="desk/1", boot="b1", pid=4711, started="100")
TEST_ADDRESSES = {
    "kind": "test",
    "base_url": "http://127.0.0.1:5001",
    "token_url": "http://127.0.0.1:5001/oauth/token",
    "base_uri": "http://127.0.0.1:5001/",
}
PRODUCTION_ADDRESSES = {**TEST_ADDRESSES, "kind": "production"}


class SetClock:
    """A clock that goes on by a second each time it is asked."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def monotonic(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def ledger_url(path: Path) -> str:
    return f"sqlite:///{path}"


@cache
def _empty_ledger() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        open_ledger(ledger_url(path), clock=SetClock()).close()
        return path.read_bytes()


def begin_ledger(path: Path) -> None:
    """Put an empty ledger where there is none: to copy one is quicker than to make it."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_empty_ledger())


def new_ledger(folder: Path, clock: SetClock | None = None) -> LedgerStore:
    """Open the ledger of a folder, on whatever database the test is run with."""
    return open_ledger(begun(folder), clock=clock or SetClock())


def begun(folder: Path, name: str = "ledger.db") -> str:
    """Return the URL of a folder's ledger, which is there and empty, or was begun before."""
    if len(DATABASES) == 1 and not (folder / ELSEWHERE).exists():
        begin_ledger(folder / name)
        return ledger_url(folder / name)
    return place_of(folder)


def place_of(folder: Path) -> str:
    noted = folder / ELSEWHERE
    return noted.read_text(encoding="utf-8") if noted.exists() else DATABASES[-1](folder)


ELSEWHERE = "ledger.url"
"""A file that names a folder's ledger where it is on a server, for other processes too."""


def on_server(of: Callable[[Path], str]) -> Callable[[Path], str]:
    """Return how a folder's ledger is named on a server; it is noted in the folder."""

    def place(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ELSEWHERE).write_text(of(folder), encoding="utf-8")
        return place_of(folder)

    return place


DATABASES: list[Callable[[Path], str]] = [lambda folder: ledger_url(folder / "ledger.db")]
"""How a folder's ledger is named; the last one counts."""


def a_plan(plan: str = "p1", **values: Any) -> Plan:
    defaults: dict[str, Any] = {
        "id": plan,
        "job": "marks",
        "environment": "staging",
        "addresses": TEST_ADDRESSES,
        "manifest_digest": "sha256:" + "1" * 64,
        "effect_digest": "sha256:" + "2" * 64,
        "policy": {"min_staging_coverage": 0.95},
        "manifest": {"title": "Shelf marks", "sigels": ["Ylm"]},
        "program_version": "0.1.0",
        "created_at": START,
        "state": PlanState.PLANNING,
        "folder": "/jobs/marks",
        "rights": ({"sigel": "Ylm", "registrant": True},),
    }
    return Plan(**{**defaults, **values})


def a_document(record: str, mark: str) -> dict[str, Any]:
    return {
        "@graph": [
            {"@id": f"http://127.0.0.1:5001/{record}", "mainEntity": {"@id": f"#{record}"}},
            {"@id": f"#{record}", "@type": "Item", "shelfMark": {"label": mark}},
        ]
    }


def a_change(number: int, action: Action = Action.UPDATE, **values: Any) -> PlannedChange:
    record = f"rec{number:06}"
    defaults: dict[str, Any] = {
        "number": number,
        "action": action,
        "record": record,
        "given": record,
        "source": Source(file="ids.txt", line=number, column=1),
        "operation": {"update": record, "changes": [{"set": {"at": "shelfMark", "to": "Hce"}}]},
        "kind": "holding",
        "sigel": "Ylm",
        "bib": BibSummary(id="bib1", title="Röda rummet", author="Strindberg", year="1879"),
        "etag": "123",
        "before": a_document(record, "Hc"),
        "after": a_document(record, "Hce"),
        "predicted": a_document(record, "Hce"),
        "before_fingerprint": "f1",
        "after_fingerprint": "f2",
        "target_key": record,
        "pattern": "set shelfMark",
    }
    return PlannedChange(**{**defaults, **values})


def a_part(step: int, action: Action = Action.UPDATE, **values: Any) -> Part:
    defaults: dict[str, Any] = {
        "step": step,
        "source": Source(file="ids.txt", line=step, column=1),
        "given": "rec",
        "action": action,
        "wish": "sha256:00",
    }
    return Part(**{**defaults, **values})


def store_plan(
    ledger: LedgerStore, plan: Plan, changes: list[PlannedChange], *, finish: bool = True
) -> Plan:
    ledger.plans.begin(plan)
    ledger.plans.add_changes(plan.id, changes, cursor=len(changes))
    return finish_plan(ledger, plan) if finish else plan


def finish_plan(ledger: LedgerStore, plan: Plan) -> Plan:
    return ledger.plans.finish(
        plan.id,
        plan_digest=plan_digest(plan.digest_head(), ledger.plans.change_digests(plan.id)),
        counts=ledger.plans.count_actions(plan.id),
        requests=3,
        at=START + timedelta(minutes=1),
    )


def a_run(plan: Plan, run: str = "r1", **values: Any) -> Run:
    defaults: dict[str, Any] = {
        "id": run,
        "plan": plan.id,
        "job": plan.job,
        "environment": plan.environment,
        "state": RunState.RUNNING,
        "started_at": START,
        "active_at": START,
    }
    return Run(**{**defaults, **values})


def start_run(ledger: LedgerStore, plan: Plan, run: str = "r1") -> Run:
    started = a_run(plan, run)
    lease = Lease(run=run, owner=OWNER, token=1, expires_at=START + timedelta(minutes=5))
    ledger.runs.start(started, lease=lease)
    return started


def an_attempt(change: int, number: int = 1, **values: Any) -> Attempt:
    return Attempt(
        **{"change": change, "number": number, "intent_at": START, "method": "PUT", **values}
    )


def send(
    ledger: LedgerStore,
    run: str,
    change: int,
    *,
    outcome: Outcome = Outcome.APPLIED,
    number: int = 1,
    **values: Any,
) -> None:
    """Store one change's intent, answer and outcome."""
    attempt = an_attempt(change, number, etag="123")
    ledger.runs.intend(run, attempt).result()
    answered = replace(attempt, answer="stored", status=204, answered_at=START)
    ledger.runs.answered(run, answered).result()
    ledger.runs.conclude(run, change, Result(outcome=outcome, **values)).result()


def an_approval(plan: Plan, **values: Any) -> Approval:
    defaults: dict[str, Any] = {
        "plan": plan.id,
        "plan_digest": plan.plan_digest,
        "approved": True,
        "by": "Ulla Ek",
        "reference": "KB 2026-17",
        "text": "Ja",
        "recorded_by": "me@desk",
        "recorded_at": START,
        "statements": ("plan_max_age_hours = 400",),
    }
    return Approval(**{**defaults, **values})


RULE = "sha256:" + "7" * 64


def bounds(**values: Any) -> Bounds:
    defaults: dict[str, Any] = {
        "until": date(2026, 12, 31),
        "per_run": {"update": 5, "create": 0, "delete": 1},
        "per_day": {"records": 10, "update": 10, "create": 0, "delete": 2},
        "rule": RULE,
    }
    return Bounds(**{**defaults, **values})


def a_claim(plan: Plan, run: str, **values: Any) -> Claim:
    defaults = {"approved": plan.id, "rule": RULE, "bounds": bounds()}
    return Claim(run=run, plan=plan.id, **{**defaults, **values})


def fill(ledger: LedgerStore) -> None:
    """Store something in every table."""
    plan = store_plan(
        ledger, a_plan(), [a_change(1), a_change(2, Action.DELETE), a_change(3), a_change(4)]
    )
    ledger.plans.begin(a_plan("p2", environment="production", addresses=PRODUCTION_ADDRESSES))
    old = store_plan(ledger, a_plan("p0"), [a_change(8), a_change(9)])
    ledger.compactions.compact([old.id])
    ledger.approvals.add(an_approval(plan, standing=bounds()))
    ledger.clients.note("staging", "client-1", use="r1", at=START)
    ledger.clients.note("production", "client-2", use="p2", at=START)
    ledger.clients.retire("production", "client-2", by="me@desk", at=START)
    ledger.standing.end(plan.id, by="me@desk", reason="it was enough")
    ledger.standing.end(plan.id, by="you@desk", reason="yes, enough")
    start_run(ledger, plan)
    ledger.standing.claim(a_claim(plan, "r1"))
    send(ledger, "r1", 1)
    send(ledger, "r1", 2, outcome=Outcome.UNKNOWN)
    ledger.runs.conclude("r1", 2, Result(outcome=Outcome.REFUSED, code="gone")).result()
    ledger.runs.intend("r1", an_attempt(3)).result()
    ledger.runs.move("r1", RunState.INTERRUPTED, at=START + timedelta(minutes=9))
    _fill_the_rest(ledger, plan)


def _fill_the_rest(ledger: LedgerStore, plan: Plan) -> None:
    """Store a second row where there is one, lines and selections, and orders to a run."""
    blank = InputLine(source=Source(file="ids.txt", line=3, column=1), code="blank")
    twice = InputLine(
        source=Source(file="ids.txt", line=4, column=1), code="repeat", given="a", message="again"
    )
    ledger.selections.keep("p2", 1, ["rec1", "rec2", "rec3"], note=lambda: {"index_total": 3})
    ledger.selections.keep("p2", 2, ["rec4"])
    ledger.plans.add_changes("p2", [a_change(1)], cursor=3, left_out=[(2, blank), (3, twice)])
    head = a_plan("p3", job="other", environment="edu", manifest={"title": "Something else"})
    other = store_plan(ledger, head, [a_change(21)])
    ledger.approvals.add(an_approval(plan, approved=False, by="Olle Ek"))
    ledger.compactions.compact([other.id])
    more = store_plan(ledger, a_plan("p4", job="more"), [a_change(11), a_change(12)])
    start_run(ledger, more, "r2")
    ledger.standing.claim(a_claim(more, "r2", bounds=None))
    send(ledger, "r2", 11, stored=a_document("rec000011", "Hce"))
    send(ledger, "r2", 12)
    ledger.orders.set_rate("r2", rate=2.0, by="me@desk")
    ledger.orders.pause("r2", paused=True, by="me@desk")
    ledger.orders.hold("r2", hold=True)
    ledger.runs.request_stop("r2", reason="stopped by me@desk")
    ledger.orders.note_wait("r2", Wait(reason="the window opens", until=START + timedelta(hours=9)))
    ledger.orders.note_wait("r1", Wait(reason="the window opens"))
    ledger.clients.note("staging", "client-1", use="r2", at=START + timedelta(hours=1))
