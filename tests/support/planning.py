"""Planning without files and network: a list of operations, a catalogue in memory, a real ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.adapters.libris.dump_storage import SqliteDumpStorage
from bulkrunner.domain.changes.verbs import SetChange
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Agreement, Declared, Delete, Job, Update
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Progress
from bulkrunner.errors import Source
from bulkrunner.services.planning.planner import Planner, PlanRequest
from bulkrunner.services.running.lease import Drivers
from tests.support.catalogue import BASE, MemoryCatalogue
from tests.support.ledgers import OWNER, SetClock, new_ledger
from tests.support.progress import NullProgress

HERE = Source(file="job.yaml", line=1)
ENVIRONMENT = Environment(
    name="staging",
    kind=Kind.TEST,
    base_url=BASE.rstrip("/"),
    token_url="https://login-stg.libris.kb.se/oauth/token",
    base_uri=BASE,
    rate=1000,
    read_rate=1000,
    concurrency=4,
)
IRIS = IriMap(bases=(BASE, "https://libris.kb.se/"), target=BASE)


def a_job(**values: Any) -> Job:
    fields: dict[str, Any] = {
        "id": "marks",
        "title": "Marks",
        "purpose": "Test",
        "on_behalf_of": "Ylm",
        "sigels": ("Ylm",),
        "active_sigel": "Ylm",
        "agreement": Agreement(covers=("holdings", "bibs")),
        "ceilings": {},
        "accept": (),
        "on_missing": "report",
        "policy": {},
        "manifest_digest": "sha256:" + "1" * 64,
        "effect_digest": "sha256:" + "2" * 64,
    }
    return Job(**{**fields, **values})


@dataclass(frozen=True)
class Streamed:
    """A job whose operations are made when asked for."""

    operations_: Callable[[], Iterator[Declared]]
    job: Job = field(default_factory=a_job)
    folder: str = "/jobs/marks"

    def operations(self) -> Iterator[Declared]:
        return self.operations_()


def listed(*operations: Declared, **job: Any) -> Streamed:
    return Streamed(lambda: iter(operations), job=a_job(**job))


def a_request(source: Streamed) -> PlanRequest:
    return PlanRequest(
        source=source,
        head={"job": source.job.id, "title": "Marks", "sigels": list(source.job.sigels)},
        environment=ENVIRONMENT,
        policy=Policy(),
        program_version="0",
    )


def set_label(target: str, to: str = "Hce") -> Update:
    return Update(source=HERE, target=target, changes=(SetChange(at="shelfMark.label", to=to),))


def delete(target: str) -> Delete:
    return Delete(source=HERE, target=target)


class Desk:
    """Plans on a ledger of its own."""

    def __init__(self, folder: Path, catalogue: MemoryCatalogue) -> None:
        self.catalogue = catalogue
        self.ledger: LedgerStore = new_ledger(folder)
        self._number = 0

    def planner(self, progress: Progress | None = None) -> Planner:
        return Planner(
            reader=self.catalogue,
            ledger=self.ledger,
            drivers=Drivers(self.ledger, SetClock(), OWNER, alive=lambda owner: False),
            clock=SetClock(),
            progress=progress or NullProgress(),
            iris=IRIS,
            storage=SqliteDumpStorage(),
        )

    def plan(self, source: Streamed, **parts: Any) -> Plan:
        self._number += 1
        return self.planner(**parts).make(a_request(source), f"p-{self._number}")

    def resume(self, plan: str, source: Streamed, **parts: Any) -> Plan:
        return self.planner(**parts).resume(self.ledger.plans.get(plan), a_request(source))

    def changes(self, plan: Plan | str) -> list[Any]:
        return list(self.ledger.plans.changes(plan if isinstance(plan, str) else plan.id))
