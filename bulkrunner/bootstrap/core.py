"""What every command may need, made when first asked for."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.environment import KB_BASES, Environment, Kind, within_agreement
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import Plan
from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.ledger import LedgerStore
    from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
    from bulkrunner.adapters.libris.credentials import Credentials
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.config import Settings
    from bulkrunner.domain.ports import Progress
    from bulkrunner.services.clients import ClientService
    from bulkrunner.services.running.lease import Drivers

MEGABYTE = 1_000_000

# Bytes that should be free where the ledger lies, however small it is.
LEAST_ROOM = 200 * MEGABYTE

# Letters of plan and run ids: none that is mistaken for another or makes a word.
ALPHABET = "0123456789bcdfghjkmnpqrstvwxz"


def new_id(prefix: str) -> str:
    """Return a new id such as ``p-4k7x2mw9qz``."""
    return f"{prefix}-" + "".join(secrets.choice(ALPHABET) for _ in range(10))


class Core:
    """Settings, ledger, clock and credentials of one command; closed at its end."""

    def __init__(
        self,
        config: Path | None,
        ledger_url: str | None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._ledger_url = ledger_url
        self.environ = os.environ if environ is None else environ
        self.clock = SystemClock()
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
            self.clock.follow(None)
            self._opened.close()

    @cached_property
    def settings(self) -> Settings:
        """The configuration; a fault in it is a ``ConfigError``."""
        from bulkrunner.config import load_settings

        return load_settings(self._config, self.environ, ledger=self._ledger_url)

    def ledger_place(self) -> str:
        """Return the ledger's URL without any password."""
        from bulkrunner.adapters.ledger import shown_url

        return shown_url(self.settings.ledger_url)

    def has_ledger(self) -> bool:
        """Return True if there is a ledger already, or a server that may hold it."""
        from bulkrunner.adapters.ledger.database import parse_url

        url = parse_url(self.settings.ledger_url)
        return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()

    def ledger_problems(self) -> list[Sentence]:
        """Return what may go wrong with the ledger where it lies: on a share, or short of room."""
        import shutil

        from bulkrunner.adapters.ledger.database import parse_url
        from bulkrunner.adapters.machine import share_of

        url = parse_url(self.settings.ledger_url)
        if url.get_backend_name() != "sqlite":
            return []
        path = Path(url.database or "").resolve()
        problems = []
        if (kind := share_of(path)) is not None:
            problems.append(Sentence("doctor_ledger_share", kind=kind))
        try:
            free, size = shutil.disk_usage(path.parent).free, path.stat().st_size
        except OSError:
            return problems
        # A run makes it grow, and before one in production it is copied.
        needed = max(LEAST_ROOM, 2 * size)
        if free < needed:
            given = {"free": free // MEGABYTE, "needed": -(-needed // MEGABYTE)}
            problems.append(Sentence("doctor_ledger_room", **given))
        return problems

    @property
    def ledger(self) -> LedgerStore:
        """The ledger, opened once."""
        if self._opened is None:
            from bulkrunner.adapters.ledger import open_ledger

            self._opened = open_ledger(self.settings.ledger_url, clock=self.clock)
            self.clock.follow(self._opened.time)
        return self._opened

    def again(self) -> Self:
        """Return another program of the same configuration, for another thread."""
        return type(self)(self._config, self._ledger_url, self.environ)

    def upgrade_ledger(self) -> None:
        """Bring the ledger's tables to this version."""
        from bulkrunner.adapters.ledger import upgrade

        upgrade(self.settings.ledger_url)

    def iris(self, environment: Environment) -> IriMap:
        """Return the map of record IRIs into the environment."""
        return IriMap(bases=self.bases(), target=environment.base_uri)

    def bases(self) -> tuple[str, ...]:
        """Return the base URIs of every known environment."""
        configured = (env.base_uri for env in self.settings.environments.values())
        return tuple(dict.fromkeys((*KB_BASES, *configured)))

    def load_job(
        self,
        path: Path,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Path] | None = None,
    ) -> LoadedJob:
        """Read and check a manifest with its input files.

        Args:
            path: of the job folder or the manifest.
            parameters: values given for its parameters.
            inputs: files to be read in place of some that it names.

        Raises:
            ManifestError: with every problem found.
            UsageError: a value for no parameter, or one that it does not take.
        """
        from bulkrunner.adapters.manifests import load_job

        return load_job(path, bases=self.bases(), parameters=parameters, inputs=inputs)

    def load_again(self, plan: Plan) -> LoadedJob:
        """Read the manifest of a plan as it is now, with the plan's own parameters and files."""
        given = plan.manifest.get("given") or {}
        inputs = {name: Path(one["path"]) for name, one in given.items()}
        return self.load_job(Path(plan.folder), plan.manifest.get("parameters"), inputs)

    def first_environment(self) -> str:
        """Return the name of where a job is planned first: a test environment if there is one."""
        known = self.settings.environments.values()
        tests = [one.name for one in known if one.kind is Kind.TEST]
        return next(iter([*tests, *(one.name for one in known)]), "staging")

    def signers(self) -> tuple[str, ...] | None:
        """Return the reviewers whose signatures count, None where policy asks for none.

        Raises:
            ConfigError: their file cannot be read.
        """
        if self.settings.reviewers_path is None:
            return None
        from bulkrunner.adapters.signatures import read_signers

        return read_signers(self.settings.reviewers_path)

    def account(self) -> str:
        """Return account@host of whoever runs the program."""
        try:
            name = getpass.getuser()
        except (ImportError, KeyError, OSError):
            name = f"uid {os.getuid()}" if hasattr(os, "getuid") else "somebody"
        return f"{name}@{socket.gethostname()}"

    def credentials(self, environment: Environment) -> Credentials:
        """Return the API client of an environment."""
        from bulkrunner.adapters.libris.credentials import find_credentials

        return find_credentials(self.settings, environment, self.environ)

    def drivers(self) -> Drivers:
        """Return what knows which process drives which run."""
        from bulkrunner.adapters.machine import is_alive, this_process
        from bulkrunner.services.running.lease import Drivers

        return Drivers(self.ledger, self.clock, this_process(), alive=is_alive)

    def client_service(self) -> ClientService:
        """Return what knows the API clients that the ledger has seen."""
        from bulkrunner.services.clients import ClientService

        return ClientService(self.ledger, self.clock)

    def usable_credentials(self, environment: Environment) -> Credentials:
        """Return the API client of an environment, unless it was retired.

        Raises:
            AccessLost: it was, or there is none.
        """
        found = self.credentials(environment)
        self.client_service().require_in_use(environment.name, found.client_id)
        return found

    def note_client(self, environment: Environment, client_id: str, *, use: str) -> None:
        """Enter into the ledger that an API client is used, and for what."""
        self.ledger.clients.note(environment.name, client_id, use=use, at=self.clock.now())

    def polite(self, name: str, rate: float | None = None) -> Environment:
        """Return an environment, asked no faster than its agreement allows, or than any would."""
        return within_agreement(self.settings.environment(name), rate)

    @contextmanager
    def reader(
        self,
        environment: Environment,
        progress: Progress | None = None,
        credentials: Credentials | None = None,
    ) -> Iterator[ReadOnlyCatalogue]:
        """Give what reads an environment; with progress to tell of, at the pace of all processes."""
        from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
        from bulkrunner.adapters.pacing.pace import tell_nobody

        with ReadOnlyCatalogue.open(
            environment,
            credentials or self.usable_credentials(environment),
            clock=self.clock,
            tell=progress.waiting if progress else tell_nobody,
            book=self.ledger.rate_limits if progress else None,
            network=self.settings.network,
        ) as reader:
            yield reader

    def within(self, plan: Plan) -> Environment:
        """Return the plan's environment, asked no faster than its agreement allows.

        Raises:
            ConfigError: its windows and the hours of the plan's rules never meet.
        """
        from bulkrunner.domain.rules import hours
        from bulkrunner.domain.schedule import common

        agreement = plan.manifest.get("agreement") or {}
        environment = self.settings.environment(plan.environment)
        try:
            windows = common([environment.windows, *hours(plan)])
        except ValueError:
            raise ConfigError(
                Sentence(
                    "windows_and_hours_never_meet",
                    environment=environment.name,
                    windows=", ".join(environment.windows),
                    plan=plan.id,
                ),
                hint=Sentence("windows_and_hours_hint"),
            ) from None
        return replace(within_agreement(environment, agreement.get("rate")), windows=windows)
