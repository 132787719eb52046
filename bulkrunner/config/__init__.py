"""Settings: resolved once, from the configuration file, the user's own file and the built-ins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bulkrunner.config.environments import (
    ClientPlace,
    OwnCommand,
    OwnFile,
    merge_clients,
    read_clients,
    read_environments,
    read_hooks,
    read_own,
    read_policy,
)
from bulkrunner.config.network import Network, Proxy, read_network
from bulkrunner.config.toml_file import ConfigFile, Faults, fitting, read_config_file
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.policy import Policy
from bulkrunner.errors import ConfigError, Fault
from bulkrunner.sentences import Sentence

# What the names of variables end with that hold secrets of API clients.
SECRET_VARIABLE = "_CLIENT_SECRET"  # noqa: S105 (how a name ends)

__all__ = [
    "SECRET_VARIABLE",
    "ClientPlace",
    "Network",
    "OwnCommand",
    "Proxy",
    "Settings",
    "load_settings",
    "own_config_path",
]

DEFAULT_FILE = "bulkrunner.toml"
# Copies of the ledger that are kept.
BACKUPS = 3

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
        hooks: commands that are told how a command ended, by event.
        network: how servers are reached.
    """

    path: Path | None
    folder: Path
    ledger_url: str = field(repr=False)
    environments: Mapping[str, Environment]
    clients: Mapping[str, ClientPlace]
    policy: Policy
    reviewers_path: Path | None = None
    backups: int = BACKUPS
    hooks: Mapping[str, OwnCommand] = field(default_factory=dict)
    network: Network = field(default_factory=Network)

    def environment(self, name: str) -> Environment:
        """Return the environment of this name. ConfigError: there is none."""
        if name in self.environments:
            return self.environments[name]
        raise ConfigError(
            Sentence("environment_unknown", name=repr(name[:60])),
            hint=Sentence(
                "environment_unknown_hint",
                known=", ".join(sorted(self.environments)),
                file=str(self.path or DEFAULT_FILE),
            ),
            code="unknown_environment",
        )


def load_settings(
    path: Path | None, env: Mapping[str, str], *, ledger: str | None = None
) -> Settings:
    """Read the configuration.

    Args:
        path: the file named by ``--config``; None: ``bulkrunner.toml`` in the current folder, where
            there is one.
        env: environment variables; they say where the user's own file is, and which proxy to use
            where the configuration says ``proxy = "environment"``.
        ledger: the URL given by ``--ledger``, relative to the current folder.

    Raises:
        ConfigError: with every fault found.
    """
    wanted = path or Path(DEFAULT_FILE)
    file = read_config_file(wanted) if path is not None or wanted.exists() else None
    folder = wanted.absolute().parent
    faults = Faults(file)
    data = fitting(file, faults)
    sections = data.get("environments", {})
    environments = read_environments(sections, faults)
    clients = read_clients(sections, file, faults, named=path is not None)
    policy = read_policy(data.get("policy", {}), folder, faults)
    written = data.get("ledger", {})
    configured = ""
    try:
        configured = ledger_url(written.get("url", DEFAULT_LEDGER), folder)
    except Fault as fault:
        faults.add(("ledger", "url"), fault.said)
    own = _own(env, file)
    hooks = read_hooks(data.get("hooks", {}), file, faults, named=path is not None)
    network = read_network(
        data.get("network", {}),
        file,
        (own.network, own.file),
        faults,
        env,
        named=path is not None,
    )
    faults.raise_if_any()
    return Settings(
        path=file.path if file else None,
        folder=folder,
        ledger_url=_given_url(ledger) if ledger else configured,
        environments=environments,
        clients=merge_clients(environments, clients, own.clients),
        policy=policy,
        backups=written.get("backups", BACKUPS),
        hooks={**own.hooks, **hooks},
        network=network,
        reviewers_path=folder / policy.reviewers if policy.reviewers else None,
    )


def own_config_path(env: Mapping[str, str]) -> Path | None:
    """Return where the user's own configuration file would be."""
    if (base := env.get("XDG_CONFIG_HOME", "")).startswith("/"):
        return Path(base) / "bulkrunner" / DEFAULT_FILE
    home = env.get("HOME", "")
    return Path(home) / ".config" / "bulkrunner" / DEFAULT_FILE if home.startswith("/") else None


def _own(env: Mapping[str, str], file: ConfigFile | None) -> OwnFile:
    path = own_config_path(env)
    if path is None or not path.exists() or (file is not None and path.samefile(file.path)):
        return OwnFile()
    return read_own(read_config_file(path))


def _given_url(url: str) -> str:
    try:
        return ledger_url(url, Path.cwd())
    except Fault as fault:
        raise ConfigError(fault.said) from None


def ledger_url(url: str, folder: Path) -> str:
    """Return a ledger's URL with an absolute path.

    Raises:
        Fault: it is no URL of a kind of database that can hold a ledger.
    """
    match = _LEDGER.fullmatch(url)
    if match is None:
        raise Fault(Sentence("ledger_url_form"))
    if match["kind"] != "sqlite":
        return url
    name, mark, query = match["rest"].removeprefix("/").partition("?")
    if not match["rest"].startswith("/") or name in ("", "/") or name.startswith((":", "file:")):
        raise Fault(Sentence("ledger_url_file"))
    return f"{match['scheme']}:///{folder / name}{mark}{query}"
