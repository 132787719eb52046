"""Settings: resolved once, from the configuration file, the user's own file and the built-ins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bulkrunner.config.environments import (
    ClientPlace,
    SecretCommand,
    merge_clients,
    read_clients,
    read_environments,
    read_own_clients,
)
from bulkrunner.config.file import ConfigFile, Faults, Table, read_config_file
from bulkrunner.config.policy import read_policy
from bulkrunner.domain.environment import Environment, Policy
from bulkrunner.errors import ConfigError

__all__ = ["ClientPlace", "SecretCommand", "Settings", "load_settings", "own_config_path"]

DEFAULT_FILE = "bulkrunner.toml"
BACKUPS = 3
"""Copies of the ledger that are kept."""

DEFAULT_LEDGER = "sqlite:///bulkrunner.db"
_LEDGER = re.compile(r"(?P<scheme>(?P<kind>sqlite|postgresql)(\+[a-z0-9_]+)?)://(?P<rest>.*)")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that is configured.

    Attributes:
        path: the file read, None where there is none.
        folder: what relative paths of the file start from.
        ledger_url: SQLAlchemy URL with an absolute path; may hold a password, so ``repr`` hides it.
        clients: what files say of each environment's client.
        reviewers_path: the policy's allowed-signers file.
        backups: copies of the ledger that are kept; 0: none is made.
    """

    path: Path | None
    folder: Path
    ledger_url: str = field(repr=False)
    environments: Mapping[str, Environment]
    clients: Mapping[str, ClientPlace]
    policy: Policy
    reviewers_path: Path | None = None
    backups: int = BACKUPS

    def environment(self, name: str) -> Environment:
        """Return the environment of this name.

        Raises:
            ConfigError: there is none.
        """
        if name in self.environments:
            return self.environments[name]
        raise ConfigError(
            f"No environment is called {name[:60]!r}.",
            hint=f"Known: {', '.join(sorted(self.environments))}. "
            f"Others are defined in {self.path or DEFAULT_FILE}.",
            code="unknown_environment",
        )


def load_settings(
    path: Path | None, env: Mapping[str, str], *, ledger: str | None = None
) -> Settings:
    """Read the configuration.

    Args:
        path: the file named by ``--config``; None: ``bulkrunner.toml`` in the current folder, where
            there is one.
        env: environment variables; here they only say where the user's own file is.
        ledger: the URL given by ``--ledger``, relative to the current folder.

    Raises:
        ConfigError: with every fault found.
    """
    wanted = path or Path(DEFAULT_FILE)
    file = read_config_file(wanted) if path is not None or wanted.exists() else None
    folder = wanted.absolute().parent
    faults = Faults(file)
    top = Table(file.data if file else {}, (), faults)
    top.only(("ledger", "environments", "policy"))
    sections = top.table("environments")
    environments = read_environments(sections)
    clients = read_clients(sections, file, named=path is not None)
    policy = read_policy(top.table("policy"), folder)
    configured, backups = _configured_ledger(top.table("ledger"))
    faults.raise_if_any()
    return Settings(
        path=file.path if file else None,
        folder=folder,
        ledger_url=ledger_url(ledger, Path.cwd()) if ledger else ledger_url(configured, folder),
        environments=environments,
        clients=merge_clients(environments, clients, _own_clients(env, file)),
        policy=policy,
        backups=backups,
        reviewers_path=folder / policy.reviewers if policy.reviewers else None,
    )


def own_config_path(env: Mapping[str, str]) -> Path | None:
    """Return where the user's own configuration file would be."""
    if (base := env.get("XDG_CONFIG_HOME", "")).startswith("/"):
        return Path(base) / "bulkrunner" / DEFAULT_FILE
    home = env.get("HOME", "")
    return Path(home) / ".config" / "bulkrunner" / DEFAULT_FILE if home.startswith("/") else None


def _own_clients(env: Mapping[str, str], file: ConfigFile | None) -> dict[str, ClientPlace]:
    path = own_config_path(env)
    if path is None or not path.exists() or (file is not None and path.samefile(file.path)):
        return {}
    return read_own_clients(read_config_file(path))


def _configured_ledger(table: Table) -> tuple[str, int]:
    """Return the ledger's URL as it is written, and how many copies are kept."""
    table.only(("url", "backups"))
    url = table.text("url")
    backups = table.whole("backups", least=0, most=1000)
    kept = BACKUPS if backups is None else backups
    if url is None:
        return DEFAULT_LEDGER, kept
    try:
        ledger_url(url, Path("/"))
    except ConfigError as error:
        table.fault("url", error.message)
        return DEFAULT_LEDGER, kept
    return url, kept


def ledger_url(url: str, folder: Path) -> str:
    """Return a ledger's URL with an absolute path.

    Raises:
        ConfigError: it is no URL of a kind of database that can hold a ledger.
    """
    match = _LEDGER.fullmatch(url)
    if match is None:
        raise ConfigError(
            "a ledger's URL begins with sqlite:/// (a file) or postgresql:// (a server)"
        )
    if match["kind"] != "sqlite":
        return url
    name, mark, query = match["rest"].removeprefix("/").partition("?")
    if not match["rest"].startswith("/") or name in ("", "/") or name.startswith((":", "file:")):
        raise ConfigError("a ledger needs a file: sqlite:///bulkrunner.db")
    return f"{match['scheme']}:///{folder / name}{mark}{query}"
