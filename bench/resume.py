"""``python -m bench.resume``: what it costs to look at the gates, and to take a run up.

Plans of several sizes, each run to all but its last changes and left by a process that died. Prints
CPU seconds until the gates are known, as for ``status``, and until the first request that a resume
sends: of the thread that drives the run, which is not held up by what goes on beside it. The
catalogue is in the process and costs nothing. Arguments: the sizes (default 5000 20000).
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bulkrunner.adapters.ledger import LedgerStore, open_ledger
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import Action, BibSummary, Plan, PlannedChange, PlanState, plan_digest
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rights import Permission, Rights
from bulkrunner.domain.run import Attempt, Lease, Outcome, Owner, Result, Run, RunState
from bulkrunner.errors import Interrupted, Source
from bulkrunner.services.gatekeeper import GateInput, Gates
from bulkrunner.services.running.executor import Executor, Parts

BASE = "http://127.0.0.1:5001"
ADDRESSES = {"kind": "test", "base_url": BASE, "token_url": f"{BASE}/t", "base_uri": f"{BASE}/"}
RIGHTS = Rights(
    permissions=(
        Permission(sigel="Ylm", registrant=True, cataloger=False, global_registrant=False),
    )
)
LEFT = 10


def cpu() -> float:
    """Return the CPU seconds of the thread that the program began with."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    return time.clock_gettime(time.pthread_getcpuclockid(main_thread))


def document(record: str, mark: str) -> dict[str, Any]:
    return {
        "@graph": [
            {"@id": f"{BASE}/{record}", "mainEntity": {"@id": f"{BASE}/{record}#it"}},
            {
                "@id": f"{BASE}/{record}#it",
                "@type": "Item",
                "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
                "itemOf": {"@id": f"{BASE}/bib1#it"},
                "shelfMark": {"@type": "ShelfMark", "label": mark},
                "physicalLocation": ["Magasin", "Öppen hylla"],
                "hasNote": [{"@type": "Note", "label": "Gåva 1987 från stadens vänner"}],
            },
        ]
    }


def change(number: int) -> PlannedChange:
    record = f"rec{number:012}"
    return PlannedChange(
        number=number,
        action=Action.UPDATE,
        record=record,
        given=record,
        source=Source(file="ids.txt", line=number, column=1),
        operation={"update": record, "changes": [{"set": {"at": "shelfMark.label", "to": "Hce"}}]},
        kind="holding",
        sigel="Ylm",
        bib=BibSummary(id="bib1", title="Röda rummet", author="Strindberg", year="1879"),
        etag="123",
        before=document(record, "Hc"),
        after=document(record, "Hce"),
        predicted=document(record, "Hce"),
        before_fingerprint="f1",
        after_fingerprint="f2",
        target_key=f"record:{record}",
        pattern="set shelfMark",
    )


def make(ledger: LedgerStore, count: int) -> Plan:
    """Store a plan, and a run of it in which the last changes are left to do."""
    now = datetime.now(UTC)
    plan = Plan(
        id="p1",
        job="marks",
        environment="staging",
        addresses=ADDRESSES,
        manifest_digest="sha256:" + "1" * 64,
        effect_digest="sha256:" + "2" * 64,
        policy=Policy().as_dict(),
        manifest={"title": "Marks", "sigels": ["Ylm"], "on_behalf_of": "Ylm"},
        program_version="0",
        created_at=now,
        state=PlanState.PLANNING,
        folder="/marks",
    )
    ledger.plans.begin(plan)
    changes = map(change, range(1, count + 1))
    while batch := list(islice(changes, 200)):
        ledger.plans.add_changes("p1", batch, cursor=batch[-1].number)
    digest = plan_digest(plan.digest_head(), ledger.plans.change_digests("p1"))
    plan = ledger.plans.finish(
        "p1", plan_digest=digest, counts=ledger.plans.count_actions("p1"), requests=0, at=now
    )
    run = Run(
        id="r1",
        plan="p1",
        job="marks",
        environment="staging",
        state=RunState.RUNNING,
        started_at=now,
        active_at=now,
    )
    owner = Owner(host="desk", boot="b", pid=1, started="1")
    ledger.runs.start(run, lease=Lease(run="r1", owner=owner, token=1, expires_at=now))
    stored: list[Future[None]] = []
    for number in range(1, count - LEFT + 1):
        sent = Attempt(change=number, number=1, intent_at=now, method="PUT", etag="123")
        done = replace(sent, answer="stored", status=204, answered_at=now)
        stored += [ledger.runs.intend("r1", sent), ledger.runs.answered("r1", done)]
        stored.append(ledger.runs.conclude("r1", number, Result(outcome=Outcome.APPLIED)))
        if len(stored) > 300:
            for one in stored:
                one.result()
            stored.clear()
    for one in stored:
        one.result()
    return plan


class FirstRequest:
    """A catalogue that notes when it is asked first, and then has the run interrupted."""

    requests = 0

    def __init__(self) -> None:
        self.cpu: float | None = None

    def before_each_write(self, _check: Callable[[], None]) -> None:
        return None

    def rights_are_due(self) -> bool:
        return False

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def asked(*_arguments: Any, **_more: Any) -> Any:
            if self.cpu is None:
                self.cpu = cpu()
            raise Interrupted("that was the first request")

        return asked


class Silent:
    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_more: None


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    yield


def measure(count: int) -> tuple[float, float]:
    """Return CPU seconds until the gates are known, and until a resume sends its first request."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/ledger.db"
        with open_ledger(url, clock=SystemClock()) as ledger:
            plan = make(ledger, count)
        environment = Environment(
            name="staging",
            rate=1000,
            read_rate=1000,
            concurrency=1,
            kind=Kind.TEST,
            base_url=BASE,
            token_url=f"{BASE}/t",
            base_uri=f"{BASE}/",
        )
        with open_ledger(url, clock=SystemClock()) as ledger:
            began = cpu()
            run = ledger.runs.get("r1")
            situation = GateInput(
                plan=plan,
                environment=environment,
                manifest_digest=plan.manifest_digest,
                rights=lambda: RIGHTS,
                run=run,
            )
            gates = Gates(ledger, SystemClock()).evaluate(situation)
            assert all(gate.open for gate in gates), gates
            known = cpu() - began
            catalogue = FirstRequest()
            executor = Executor(
                Parts(
                    catalogue=catalogue,
                    ledger=ledger,
                    clock=SystemClock(),
                    progress=Silent(),
                    environment=environment,
                    iris=IriMap(bases=(f"{BASE}/",), target=f"{BASE}/"),
                    gate=at_once,
                    owner=Owner(host="desk", boot="b", pid=2, started="2"),
                    alive=lambda _owner: False,
                )
            )
            with contextlib.suppress(Interrupted):
                executor.run("r1")
            assert catalogue.cpu is not None
            return known, catalogue.cpu - began


def main(sizes: list[int]) -> None:
    print("changes   gates   resume to first request   (CPU s)")
    for count in sizes:
        known, first = measure(count)
        print(f"{count:7,}   {known:5.2f}   {first:5.2f}", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [5000, 20000])
