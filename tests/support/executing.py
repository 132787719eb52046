"""Plans and runs on a real ledger and a running sandbox, with processes that can die."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bulkrunner.adapters.ledger import LedgerStore, open_ledger
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.adapters.libris.client import Catalogue
from bulkrunner.adapters.libris.credentials import Credentials
from bulkrunner.adapters.libris.dump_storage import SqliteDumpStorage
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Agreement, Create, Creates, Declared, Delete, Job, Update
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.run import Owner, Run
from bulkrunner.domain.run_ledger import Ended
from bulkrunner.errors import Source
from bulkrunner.services.planning.planner import Planner, PlanRequest
from bulkrunner.services.running.executor import Executor, Parts
from bulkrunner.services.running.lease import Drivers
from bulkrunner.services.verify import Verified, Verifier
from tests.support.ledgers import begun
from tests.support.progress import NullProgress
from tests.support.sandbox import EnvironmentControl

_NUMBERS = itertools.count(1)
_ISBNS = itertools.count(9786200000000)


class Impatient:
    """The machine's clock, on which waiting takes next to no time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        time.sleep(min(seconds, 0.002))

    def wait_for(
        self, condition: threading.Condition, is_true: Callable[[], bool], seconds: float | None
    ) -> bool:
        return condition.wait_for(is_true, seconds)


class Leaping(Impatient):
    """A clock that leaps over every wait, for whoever waits until a moment."""

    def __init__(self) -> None:
        super().__init__()
        self._leapt = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return time.monotonic() + self._leapt

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._leapt += seconds
            self.slept.append(seconds)


class Died(BaseException):
    """The process was killed at this point."""


@dataclass
class Process:
    """One process that drives runs; dies where it is told to."""

    owner: Owner
    dead: threading.Event = field(default_factory=threading.Event)

    def mortal(self, part: Any, **hooks: Callable[..., Any]) -> Any:
        return _Mortal(part, self.dead, hooks)


class _Mortal:
    """Passes every call on until its process is dead; hooks stand in for single methods.

    Of a ledger they are named with its part: ``runs.intend``.
    """

    def __init__(
        self,
        part: Any,
        dead: threading.Event,
        hooks: dict[str, Callable[..., Any]],
        within: str = "",
    ) -> None:
        self._part = part
        self._dead = dead
        self._hooks = hooks
        self._within = within

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._part, name)
        if isinstance(real, Part):
            return _Mortal(real, self._dead, self._hooks, f"{name}.")
        if not callable(real):
            return real
        hook = self._hooks.get(self._within + name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._dead.is_set():
                raise Died
            return hook(real, *args, **kwargs) if hook else real(*args, **kwargs)

        return call


@dataclass(frozen=True)
class Folder:
    """A job whose operations are a list."""

    job: Job
    operations_: tuple[Declared, ...]
    folder: str = "/jobs/test"

    def operations(self) -> Iterator[Declared]:
        return iter(self.operations_)


class Rig:
    """Plans and runs in one environment of a sandbox."""

    def __init__(
        self,
        control: EnvironmentControl,
        folder: Path,
        *,
        client: str = "supplier",
        concurrency: int = 4,
        clock: Any = None,
    ) -> None:
        self.control = control
        self.clock = clock or Impatient()
        self.waits = Leaping()
        self.ledger: LedgerStore = open_ledger(begun(folder), clock=self.clock)
        self.environment = Environment(
            name=control.name,
            kind=Kind(control.kind),
            base_url=control.base_url,
            token_url=control.token_url,
            base_uri=control.base_uri,
            rate=5000,
            read_rate=5000,
            concurrency=concurrency,
        )
        self.iris = IriMap(bases=(control.base_uri,), target=control.base_uri)
        client_id, secret = control.credentials(client)
        self.credentials = Credentials(client_id=client_id, client_secret=secret)
        self._open: list[Catalogue] = []

    def close(self) -> None:
        for catalogue in self._open:
            catalogue.close()
        self.ledger.close()

    def catalogue(self) -> Catalogue:
        opened = Catalogue.open(self.environment, self.credentials, clock=self.waits)
        self._open.append(opened)
        return opened

    def plan(self, *operations: Declared, **head: Any) -> Plan:
        """Plan a job; every operation must be plannable."""
        request = self.request(*operations, **head)
        plan = self.planner().make(request, f"p-{next(_NUMBERS)}")
        writes = sum(plan.counts[name] for name in ("create", "update", "delete"))
        assert writes == len(operations), self.ledger.plans.findings(plan.id, limit=3)
        self.control.clear_log()
        return plan

    def planner(self) -> Planner:
        return Planner(
            reader=self.catalogue(),
            ledger=self.ledger,
            drivers=self.drivers(),
            clock=self.clock,
            progress=NullProgress(),
            iris=self.iris,
            storage=SqliteDumpStorage(),
        )

    def drivers(self, *, alive: bool | None = False) -> Drivers:
        """Who drives which run, where every other process is as told."""
        return Drivers(self.ledger, self.clock, an_owner(), alive=lambda owner: alive)

    def request(self, *operations: Declared, job: str = "", **head: Any) -> PlanRequest:
        """What a plan of these operations is made of; the job is a new one unless named."""
        manifest = {
            "title": "Test",
            "on_behalf_of": "Ylm",
            "active_sigel": "Ylm",
            "sigels": ["Ylm"],
            "agreement": {"covers": ["holdings", "bibs"]},
            **head,
        }
        declared = Job(
            id=job or f"job-{next(_NUMBERS)}",
            title="Test",
            purpose="Test",
            on_behalf_of="Ylm",
            sigels=tuple(manifest["sigels"]),
            active_sigel=manifest["active_sigel"],
            agreement=Agreement(covers=("holdings", "bibs")),
            ceilings={},
            accept=(),
            on_missing="report",
            policy={},
            manifest_digest="sha256:" + "1" * 64,
            effect_digest="sha256:" + "2" * 64,
        )
        return PlanRequest(
            source=Folder(declared, operations),
            head=manifest,
            environment=self.environment,
            policy=Policy(),
            program_version="0",
        )

    def parts(self, process: Process | None = None, **changes: Any) -> Parts:
        catalogue = self.catalogue()
        parts = Parts(
            catalogue=catalogue,
            ledger=self.ledger,
            clock=self.clock,
            progress=NullProgress(),
            environment=self.environment,
            iris=self.iris,
            gate=catalogue.write_gate,
            owner=process.owner if process else an_owner(),
            alive=lambda owner: False,
        )
        return replace(parts, **changes)

    def run(self, plan: Plan, *, limit: int | None = None, **changes: Any) -> Run:
        """Run a plan from the start."""
        executor = Executor(self.parts(**changes))
        return executor.run(executor.start(plan, f"r-{next(_NUMBERS)}").id, limit=limit)

    def begin(self, plan: Plan) -> str:
        """Store a new run of a plan whose process dies before it does anything."""
        return Executor(self.parts()).start(plan, f"r-{next(_NUMBERS)}").id

    def resume(self, run: str, *, limit: int | None = None, **changes: Any) -> Run:
        """Take a run up in another process."""
        return Executor(self.parts(**changes)).run(run, limit=limit)

    def run_until_killed(self, plan: Plan, **hooks: dict[str, Callable[..., Any]]) -> str:
        """Run a plan in a process that a hook kills; returns the run's id.

        Args:
            hooks: ``catalogue`` and ``ledger``, each with stand-ins for methods.
        """
        executor = Executor(self._mortal(hooks))
        run = executor.start(plan, f"r-{next(_NUMBERS)}").id
        _expect_death(executor, run)
        return run

    def resume_until_killed(self, run: str, **hooks: dict[str, Callable[..., Any]]) -> None:
        """Take a run up in a process that a hook kills, or that finishes it before."""
        with contextlib.suppress(AssertionError):
            _expect_death(Executor(self._mortal(hooks)), run)

    def _mortal(self, hooks: dict[str, dict[str, Callable[..., Any]]]) -> Parts:
        process = Process(an_owner())
        parts = self.parts(process)
        mortal = {
            name: process.mortal(
                getattr(parts, name),
                **{call: _bound(hook, process) for call, hook in hooks.get(name, {}).items()},
            )
            for name in ("catalogue", "ledger")
        }
        return replace(parts, **mortal)

    def ended(self, run: Run | str) -> list[Ended]:
        """Every change with its result, in plan order."""
        return list(self.ledger.runs.ended(run if isinstance(run, str) else run.id))

    def verify(self, run: Run) -> Verified:
        return Verifier(
            reader=self.catalogue(),
            ledger=self.ledger,
            run=run,
            environment=self.environment,
            progress=NullProgress(),
            active_sigel=self.ledger.plans.get(run.plan).active_sigel,
            iris=self.iris,
        ).verify()

    def made_bib(self) -> str:
        """Make a bib past the program, with a level 2 client; returns its short id."""
        title = {"@type": "Title", "mainTitle": f"Bok {next(_NUMBERS)}"}
        return self._made({"@type": "Instance", "hasTitle": [title]})

    def made_holding(self, bib: str, sigel: str = "Ylm", **body: Any) -> str:
        """Make a holding past the program; returns its short id."""
        links = {
            "heldBy": {"@id": f"https://libris.kb.se/library/{sigel}"},
            "itemOf": {"@id": self.control.thing_iri(bib)},
        }
        return self._made({"@type": "Item", **links, **body})

    def _made(self, thing: dict[str, Any]) -> str:
        record = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
        graph = [record, {"@id": "_:T#it", **thing}]
        answer = self.control.send("POST", "/data", {"@graph": graph}, client="cataloguer")
        assert answer.status == 201, answer
        return answer.headers["location"].rpartition("/")[2]

    def sent(self) -> list[tuple[str, int]]:
        """Write requests as (method, status) in the order in which they came."""
        return [(entry["method"], entry["status"]) for entry in self.control.writes()]


def _expect_death(executor: Executor, run: str) -> None:
    try:
        executor.run(run)
    except Died:
        return
    raise AssertionError("the process lived to the end")


def _bound(hook: Callable[..., Any], process: Process) -> Callable[..., Any]:
    def call(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return hook(process.dead, real, *args, **kwargs)

    return call


def before_it(dead: threading.Event, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Die just before the call."""
    dead.set()
    raise Died


def after_it(dead: threading.Event, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Die just after the call."""
    done = real(*args, **kwargs)
    if hasattr(done, "result"):
        done.result()
    dead.set()
    raise Died


def held(rig: Rig, bib: str, sigel: str = "Ylm") -> list[str]:
    """Short ids of the library's holdings on a bib."""
    query = urlencode({"id": rig.control.thing_iri(bib), "library": sigel})
    answer = rig.control.get("_findhold", query)
    return [iri.rpartition("/")[2] for iri in answer.json]


def somebodys_holding(rig: Rig, bib: str) -> str:
    """Make a holding past the program; returns its short id."""
    graph = [
        {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}},
        {
            "@id": "_:T#it",
            "@type": "Item",
            "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
            "itemOf": {"@id": rig.control.thing_iri(bib)},
        },
    ]
    assert rig.control.send("POST", "/data", {"@graph": graph}).status == 201
    (record,) = held(rig, bib)
    return record


def an_owner() -> Owner:
    return Owner(host="desk/1", boot="b1", pid=next(_NUMBERS), started="1")


def _source() -> Source:
    return Source(file="ops.jsonl", line=next(_NUMBERS))


def setting(record: str, value: Any, at: str = "shelfMark.label") -> Update:
    return Update(source=_source(), target=record, changes=(SetChange(at=at, to=value),))


def appending(record: str, value: Any, at: str = "cataloguersNote") -> Update:
    return Update(source=_source(), target=record, changes=(AppendChange(at=at, value=value),))


def removing(record: str, at: str) -> Update:
    return Update(source=_source(), target=record, changes=(RemoveChange(at=at),))


def resaving(record: str) -> Update:
    return Update(source=_source(), target=record, resave=True)


def deleting(record: str) -> Delete:
    return Delete(source=_source(), target=record)


def creating_holding(bib: str, sigel: str = "Ylm", **body: Any) -> Create:
    return Create(source=_source(), creates=Creates.HOLDING, sigel=sigel, of=bib, body=body)


def creating_bib(title: str, sigel: str = "Ylm", **body: Any) -> Create:
    return Create(
        source=_source(),
        creates=Creates.BIB,
        sigel=sigel,
        of=None,
        body={
            "@type": "Instance",
            "hasTitle": [{"@type": "Title", "mainTitle": title}],
            **body,
        },
    )


def next_isbn() -> str:
    """One that no other record has."""
    return str(next(_ISBNS))
