"""Composition root: settings become adapters, adapters become services. Nothing else wires."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bulkrunner import __version__
from bulkrunner.adapters.clock import SystemClock
from bulkrunner.domain.environment import KB_BASES, Environment, Policy, Rights
from bulkrunner.domain.gates import GateResult
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import Finding, Plan, empty_counts
from bulkrunner.domain.politeness import most_rate, within_agreement
from bulkrunner.domain.ports import Progress
from bulkrunner.domain.run import Run
from bulkrunner.errors import BulkRunnerError, UsageError

if TYPE_CHECKING:
    from bulkrunner.adapters.catalogue import Catalogue, ReadOnlyCatalogue
    from bulkrunner.adapters.ledger import LedgerStore
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.adapters.secrets import Credentials
    from bulkrunner.config import Settings
    from bulkrunner.services.applying import Executor
    from bulkrunner.services.approving import Approving
    from bulkrunner.services.diagnosing import Examined
    from bulkrunner.services.ordering import Ordering
    from bulkrunner.services.planning import Planner, PlanRequest
    from bulkrunner.services.settling import Settling
    from bulkrunner.services.starting import Starting
    from bulkrunner.services.status import Status, StatusService
    from bulkrunner.services.verifying import Verifier

ALPHABET = "0123456789bcdfghjkmnpqrstvwxz"
"""Letters of plan and run ids: none that is mistaken for another or makes a word."""


WATCH_EVERY = 2.0
"""Seconds between two looks of ``status --watch``."""


def new_id(prefix: str) -> str:
    """Return a new id such as ``p-4k7x2mw9qz``."""
    return f"{prefix}-" + "".join(secrets.choice(ALPHABET) for _ in range(10))


class PlanningSession:
    """Makes or resumes one plan."""

    def __init__(
        self,
        program: Program,
        planner: Planner,
        reader: ReadOnlyCatalogue,
        environment: Environment,
        client_id: str,
    ) -> None:
        self._program = program
        self._planner = planner
        self._reader = reader
        self._environment = environment
        self._client_id = client_id
        self.plan_id: str | None = None

    @property
    def requests(self) -> int:
        """HTTP requests sent."""
        return self._reader.requests

    def request_stop(self) -> None:
        """Stop after the batch in hand."""
        self._planner.request_stop()
        self._reader.hurry()

    def make(self, loaded: LoadedJob) -> Plan:
        """Make a new plan of the job."""
        self.plan_id = new_id("p")
        self._note()
        return self._planner.make(self._program.request(loaded, self._environment), self.plan_id)

    def resume(self, plan: Plan, loaded: LoadedJob) -> Plan:
        """Go on with an interrupted plan."""
        self.plan_id = plan.id
        self._note()
        return self._planner.resume(plan, self._program.request(loaded, self._environment))

    def _note(self) -> None:
        self._program.note_client(self._environment, self._client_id, use=self.plan_id or "")


class RunningSession:
    """Evaluates the gates of a plan, then carries it out: a new run, or the one it has."""

    def __init__(
        self,
        program: Program,
        plan: Plan,
        run: Run | None,
        catalogue: Catalogue,
        executor: Executor,
        client_id: str,
    ) -> None:
        self._program = program
        self._plan = plan
        self._run = run
        self._catalogue = catalogue
        self._executor = executor
        self._client_id = client_id
        self.run_id: str | None = run.id if run else None

    @property
    def requests(self) -> int:
        """HTTP requests sent."""
        return self._catalogue.requests

    def request_stop(self) -> None:
        """Stop after what is in flight."""
        self._executor.request_stop()
        self._catalogue.hurry()

    def open_gates(self) -> list[GateResult]:
        """Return every gate.

        Raises:
            GateClosed: names every closed one.
        """
        return self._program.require_gates(self._plan, self._catalogue, self._run)

    def execute(self, *, limit: int | None, hold: bool = False) -> Run:
        """Carry out what is left to do; ``hold``: pause after the first changes."""
        if self.run_id is None:
            self.run_id = self._executor.start(self._plan, new_id("r")).id
        self._program.note_client(
            self._program.settings.environment(self._plan.environment),
            self._client_id,
            use=self.run_id,
        )
        return self._executor.run(self.run_id, limit=limit, hold=hold)


class Program:
    """Everything one command needs, made when first asked for and closed at the end."""

    def __init__(
        self,
        config: Path | None,
        ledger_url: str | None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._ledger_url = ledger_url
        self._environ = os.environ if environ is None else environ
        self._clock = SystemClock()
        self._opened: LedgerStore | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    # --- parts -------------------------------------------------------------------------------

    @cached_property
    def settings(self) -> Settings:
        """The configuration; a fault in it is a ``ConfigError``."""
        from bulkrunner.config import load_settings

        return load_settings(self._config, self._environ, ledger=self._ledger_url)

    def ledger_place(self) -> str:
        """Return the ledger's URL without any password."""
        from bulkrunner.adapters.ledger import shown_url

        return shown_url(self.settings.ledger_url)

    @property
    def ledger(self) -> LedgerStore:
        """The ledger, opened once."""
        if self._opened is None:
            from bulkrunner.adapters.ledger import open_ledger

            self._opened = open_ledger(self.settings.ledger_url, clock=self._clock)
        return self._opened

    def upgrade_ledger(self) -> None:
        """Bring the ledger's tables to this version."""
        from bulkrunner.adapters.ledger import upgrade

        upgrade(self.settings.ledger_url)

    def iris(self, environment: Environment) -> IriMap:
        """Return the map of record IRIs into the environment."""
        return IriMap(bases=self._bases(), target=environment.base_uri)

    def _bases(self) -> tuple[str, ...]:
        configured = (env.base_uri for env in self.settings.environments.values())
        return tuple(dict.fromkeys((*KB_BASES, *configured)))

    def load_job(self, path: Path) -> LoadedJob:
        """Read and check a manifest with its input files.

        Raises:
            ManifestError: with every problem found.
        """
        from bulkrunner.adapters.manifests import load_job

        return load_job(path, bases=self._bases())

    def account(self) -> str:
        """Return account@host of whoever runs the program."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"uid {os.getuid()}"
        return f"{name}@{socket.gethostname()}"

    # --- planning ----------------------------------------------------------------------------

    @contextmanager
    def planning(
        self, name: str, progress: Progress, *, agreed_rate: float | None
    ) -> Iterator[PlanningSession]:
        """Give what plans for an environment; it holds nothing that can write there."""
        from bulkrunner.adapters.catalogue import ReadOnlyCatalogue
        from bulkrunner.services.planning import Planner

        environment = within_agreement(self.settings.environment(name), agreed_rate)
        credentials = self._credentials(environment)
        with ReadOnlyCatalogue.open(
            environment,
            credentials,
            clock=self._clock,
            tell=progress.waiting,
            book=self.ledger,
        ) as reader:
            planner = Planner(
                reader=reader,
                ledger=self.ledger,
                clock=self._clock,
                progress=progress,
                iris=self.iris(environment),
            )
            yield PlanningSession(self, planner, reader, environment, credentials.client_id)

    def _credentials(self, environment: Environment) -> Credentials:
        from bulkrunner.adapters.secrets import find_credentials

        return find_credentials(self.settings, environment, self._environ)

    def note_client(self, environment: Environment, client_id: str, *, use: str) -> None:
        """Enter into the ledger that an API client is used, and for what."""
        self.ledger.note_client(environment.name, client_id, use=use, at=self._clock.now())

    def request(self, loaded: LoadedJob, environment: Environment) -> PlanRequest:
        """Return what a plan is made of."""
        from bulkrunner.services.planning import PlanRequest

        return PlanRequest(
            source=loaded,
            head=loaded.head,
            environment=environment,
            policy=effective_policy(self.settings.policy, loaded.job.policy),
            program_version=__version__,
        )

    def stored_plan(self, plan_id: str | None) -> Plan | None:
        """Return a plan if it got as far as the ledger."""
        plans = [plan for plan in self.ledger.plans() if plan.id == plan_id]
        return plans[0] if plans else None

    def plan_counts(self, plan: Plan) -> dict[str, int]:
        """Return the plan's counts by action, also of one that is not complete."""
        return {**empty_counts(), **self.ledger.count_actions(plan.id)}

    def plan_findings(self, plan: Plan) -> list[Finding]:
        """Return the first hundred findings, ceilings and refusals first."""
        from bulkrunner.services.planning import plan_findings

        return plan_findings(self.ledger, plan)

    def plan_faults(self, plan: Plan) -> list[str]:
        """Return why a complete plan cannot be run; exit code 3 where there is any."""
        from bulkrunner.services.planning.outcome import accepts_of, plan_ceilings, unaccepted

        left = unaccepted(self.ledger.count_refusals(plan.id), accepts_of(plan.manifest))
        refused = [f"{count} × {code}" for code, count in sorted(left.items())]
        return [*plan_ceilings(plan), *refused]

    # --- gates, approvals, status ------------------------------------------------------------

    def gates(
        self, plan: Plan, *, rights: Callable[[], Rights] | None, run: Run | None = None
    ) -> list[GateResult]:
        """Evaluate every gate of a plan as things are now."""
        from bulkrunner.services.gating import Gates, Situation

        return Gates(self.ledger, self._clock).evaluate(
            Situation(
                plan=plan,
                environment=self.settings.environments.get(plan.environment),
                manifest_digest=self._digest_now(plan),
                rights=rights,
                run=run,
            )
        )

    def _digest_now(self, plan: Plan) -> str | None:
        try:
            return self.load_job(Path(plan.folder)).job.manifest_digest
        except BulkRunnerError:
            return None

    def gates_asking(self, plan: Plan) -> list[GateResult]:
        """Evaluate the gates, asking the login; where that fails the gate ``rights`` says why."""
        try:
            with self._reader(plan.environment) as reader:
                return self.gates(plan, rights=reader.rights)
        except BulkRunnerError as error:
            gates = self.gates(plan, rights=None)
            return [
                GateResult(name="rights", open=False, reason=error.message)
                if gate.name == "rights"
                else gate
                for gate in gates
            ]

    @contextmanager
    def _reader(self, name: str) -> Iterator[ReadOnlyCatalogue]:
        from bulkrunner.adapters.catalogue import ReadOnlyCatalogue

        environment = within_agreement(self.settings.environment(name), None)
        credentials = self._credentials(environment)
        with ReadOnlyCatalogue.open(environment, credentials, clock=self._clock) as reader:
            yield reader

    def approving(self) -> Approving:
        """Return what records answers."""
        from bulkrunner.services.approving import Approving

        return Approving(self.ledger, self._clock)

    def settling(self) -> Settling:
        """Return what records a person's decision about an unknown outcome."""
        from bulkrunner.domain.answers import Found
        from bulkrunner.services.settling import Settling

        def read(run: Run, record: str) -> Found | None:
            environment = self.settings.environment(run.environment)
            ref = self.iris(environment).parse(record)
            if ref is None:
                return None
            with self._reader(run.environment) as reader:
                answer = reader.read(ref.value)
            return answer if isinstance(answer, Found) else None

        return Settling(self.ledger, self._clock, read=read)

    def starting(self) -> Starting:
        """Return what decides which plan or run is meant."""
        from bulkrunner.adapters.owner import is_alive
        from bulkrunner.services.starting import Starting

        return Starting(self.ledger, alive=is_alive)

    def _statuses(self) -> StatusService:
        from bulkrunner.services.outlook import Outlooks
        from bulkrunner.services.status import StatusService

        outlooks = Outlooks(self.ledger, self._clock, environment=self._environment_of)
        return StatusService(self.ledger, gates=self.gates_asking, outlooks=outlooks)

    def _environment_of(self, plan: str) -> Environment | None:
        try:
            return self._within(self.ledger.plan(plan))
        except UsageError:
            return None

    def ordering(self) -> Ordering:
        """Return what gives orders to running runs."""
        from bulkrunner.adapters.owner import is_alive
        from bulkrunner.services.ordering import Ordering

        return Ordering(self.ledger, alive=is_alive, by=self.account())

    def most_rate(self, run: Run) -> float | None:
        """Return the writes per second that the run may be given; None: any number."""
        plan = self.ledger.plan(run.plan)
        agreement = plan.manifest.get("agreement") or {}
        return most_rate(self.settings.environment(plan.environment), agreement.get("rate"))

    def watch(self, prefix: str | None) -> Iterator[Status]:
        """Yield where things stand every other second, until nothing is running; asks no login."""
        while True:
            status = self.status(prefix, with_gates=False)
            yield status
            if all(run["state"] != "running" for run in status.runs):
                return
            self._clock.sleep(WATCH_EVERY)

    def status(self, prefix: str | None, *, with_gates: bool = True) -> Status:
        """Return where everything stands, or one plan or run."""
        if prefix is None:
            return self._statuses().overview()
        found = self.starting().find(prefix)
        plan = found if isinstance(found, Plan) else self.ledger.plan(found.plan)
        return self._statuses().one(plan, with_gates=with_gates)

    def next_command(self, plan: Plan) -> str:
        """Return the command that takes the job one step further."""
        return self._statuses().next_command(plan)

    # --- runs --------------------------------------------------------------------------------

    def _within(self, plan: Plan) -> Environment:
        """Return the plan's environment, asked no faster than its agreement allows."""
        agreement = plan.manifest.get("agreement") or {}
        environment = self.settings.environment(plan.environment)
        return within_agreement(environment, agreement.get("rate"))

    @contextmanager
    def running(self, plan: Plan, run: Run | None, progress: Progress) -> Iterator[RunningSession]:
        """Give what evaluates the gates of a plan and then carries it out."""
        from bulkrunner.adapters.catalogue import Catalogue

        within = self._within(plan)
        from bulkrunner.services.applying import WaitingNow

        credentials = self._credentials(within)
        waiting = WaitingNow(progress, self._clock)
        with Catalogue.open(
            within,
            credentials,
            clock=self._clock,
            tell=waiting.waiting,
            note=lambda message: waiting.note(message, action="pace"),
            book=self.ledger,
        ) as catalogue:
            executor = self._executor(plan, within, catalogue, waiting)
            yield RunningSession(self, plan, run, catalogue, executor, credentials.client_id)

    def _executor(
        self,
        plan: Plan,
        environment: Environment,
        catalogue: Catalogue,
        progress: Progress,
    ) -> Executor:
        from bulkrunner.adapters.owner import is_alive, this_process
        from bulkrunner.services.applying import Executor, Parts

        def recheck() -> None:
            # Whatever the ledger saw of it last: a run that asks is not idle.
            running = self.ledger.runs(plan=plan.id)[0]
            self.require_gates(plan, catalogue, replace(running, active_at=self._clock.now()))

        return Executor(
            Parts(
                catalogue=catalogue,
                ledger=self.ledger,
                clock=self._clock,
                progress=progress,
                environment=environment,
                iris=self.iris(environment),
                gate=catalogue.write_gate,
                owner=this_process(),
                alive=is_alive,
                recheck=recheck,
                set_rate=catalogue.set_rate,
            )
        )

    def require_gates(
        self, plan: Plan, catalogue: ReadOnlyCatalogue, run: Run | None
    ) -> list[GateResult]:
        """Return every gate of the plan as things are now.

        Raises:
            GateClosed: names every closed one.
        """
        from bulkrunner.services.starting import open_gates

        gates = self.gates(plan, rights=catalogue.rights, run=run)
        open_gates(gates)
        return gates

    @contextmanager
    def verifying(self, run: Run, progress: Progress) -> Iterator[Verifier]:
        """Give what reads a run's records again; it holds nothing that can write."""
        from bulkrunner.adapters.catalogue import ReadOnlyCatalogue
        from bulkrunner.services.verifying import Verifier

        environment = self._within(self.ledger.plan(run.plan))
        credentials = self._credentials(environment)
        with ReadOnlyCatalogue.open(
            environment,
            credentials,
            clock=self._clock,
            tell=progress.waiting,
            book=self.ledger,
        ) as reader:
            yield Verifier(
                reader=reader,
                ledger=self.ledger,
                run=run,
                environment=environment,
                progress=progress,
            )

    # --- undo --------------------------------------------------------------------------------

    def write_undo(self, plan: Plan, folder: Path, *, only: Path | None) -> str:
        """Write the job that restores what a plan's job changed; returns the new job's id.

        Raises:
            UsageError: the folder is there, or the list cannot be read or names no record.
        """
        from bulkrunner.adapters.manifests.ids import read_id_file
        from bulkrunner.adapters.undo_job import write_undo_job

        iris = IriMap(bases=self._bases(), target="")
        same = [
            other
            for other in self.ledger.plans(job=plan.job)
            if other.effect_digest == plan.effect_digest
        ]
        names = {name for other in same for name in other.counts}
        return write_undo_job(
            folder,
            plan.manifest,
            effect_digest=plan.effect_digest,
            counts={name: max(other.counts.get(name, 0) for other in same) for name in names},
            only=None if only is None else read_id_file(only, iris),
        )

    # --- doctor ------------------------------------------------------------------------------

    def examine(self, name: str | None) -> list[Examined]:
        """Look at one environment, or at every one that has a client."""
        from bulkrunner.services.diagnosing import Diagnosing

        def connect(environment: Environment) -> AbstractContextManager[ReadOnlyCatalogue]:
            return self._reader(environment.name)

        diagnosing = Diagnosing(self._clock, connect=connect)
        if name is not None:
            return [diagnosing.examine(self.settings.environment(name))]
        return [
            diagnosing.examine(environment)
            for environment in self.settings.environments.values()
            if self._has_client(environment)
        ]

    def _has_client(self, environment: Environment) -> bool:
        try:
            self._credentials(environment)
        except BulkRunnerError:
            return False
        return True

    # --- reports -----------------------------------------------------------------------------

    def write_report(
        self, prefix: str, *, form: str, language: str, out: Path | None
    ) -> WrittenReport:
        """Write the report of a plan or run; the gates in it are those of now."""
        from bulkrunner.adapters.reports import write_report
        from bulkrunner.services.reporting import ReportService

        reports = ReportService(self.ledger, self._clock)
        plan, run = reports.find(prefix)
        name = (run or plan).id
        path = out or Path(f"{name}.{form}")
        data = reports.report_of(plan, run, self.gates_asking(plan))
        write_report(data, path, form=form, lang=language)
        return WrittenReport(plan=plan.id, run=run.id if run else None, path=path.absolute())


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """Where a report is."""

    plan: str
    run: str | None
    path: Path


def effective_policy(configured: Policy, overridden: Mapping[str, Any]) -> Policy:
    """Return the configuration's policy with the manifest's values in their places.

    Of two ceilings the lower one counts.
    """
    values = dict(overridden)
    if "test_hosts" in values:
        values["test_hosts"] = tuple(values["test_hosts"])
    if "ceilings" in values:
        both = [configured.ceilings, dict(values["ceilings"])]
        names = {name for ceilings in both for name in ceilings}
        values["ceilings"] = {
            name: min(ceilings[name] for ceilings in both if name in ceilings) for name in names
        }
    return replace(configured, **values)


def new_job_folder(name: str, parent: Path) -> Path:
    """Make a job folder with a commented manifest."""
    from bulkrunner.adapters.new_job import new_job

    return new_job(name, parent, today=SystemClock().now().date().isoformat())


def serve_sandbox(
    *,
    test_port: int,
    production_port: int,
    data: Path | None,
    load: Path | None,
    write_config: Path | None,
) -> None:
    """Serve the embedded Libris until SIGINT or SIGTERM.

    Raises:
        UsageError: a port is taken, or a file to load cannot be read.
    """
    from bulkrunner.sandbox.launch import run
    from bulkrunner.sandbox.load import LoadError
    from bulkrunner.sandbox.pair import SandboxOptions

    try:
        run(
            SandboxOptions(data=data, load=load),
            ports={"test": test_port, "production": production_port},
            write_config=write_config,
        )
    except (OSError, LoadError) as error:
        raise UsageError(f"the sandbox cannot start: {error}") from None
