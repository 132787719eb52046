"""The environments of a configuration, and where their clients' secrets come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkrunner.config.addresses import BUILT_IN, check_addresses, clean_url
from bulkrunner.config.file import ConfigFile, Faults, Table
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.politeness import POLITE
from bulkrunner.domain.windows import parse_window, time_zone
from bulkrunner.errors import ConfigError

_ADDRESSES = ("base_url", "token_url", "base_uri")
_CLIENT_KEYS = ("client_id", "client_secret_command")
_KEYS = (
    "kind",
    *_ADDRESSES,
    "rate",
    "read_rate",
    "concurrency",
    "windows",
    "timezone",
    *_CLIENT_KEYS,
)
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LEAST_RATE, _MOST_RATE, _MOST_CONCURRENCY = 0.001, 1e6, 256


@dataclass(frozen=True, kw_only=True)
class SecretCommand:
    """A program that prints a client secret; it runs in the folder of the file that names it."""

    arguments: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class ClientPlace:
    """What files say of an environment's client, besides variables and keyring.

    Attributes:
        token_url: the only login that the command's secret may be sent to, where the file says so.
    """

    client_id: str | None = None
    command: SecretCommand | None = None
    token_url: str | None = None


def read_environments(sections: Table) -> dict[str, Environment]:
    """Return the built-in environments and those of the file, notes going to its faults."""
    names = dict.fromkeys([*BUILT_IN, *sections.data])
    found = {name: _read_environment(name, sections.table(name)) for name in names}
    return {name: environment for name, environment in found.items() if environment is not None}


def _built_in(name: str) -> dict[str, Any]:
    if name not in BUILT_IN:
        return {}
    host, login = BUILT_IN[name]
    return {
        "kind": "production" if name == "production" else "test",
        "base_url": f"https://{host}",
        "token_url": f"https://{login}/oauth/token",
    }


def _read_environment(name: str, section: Table) -> Environment | None:
    """Return an environment; None where too much is wrong with it to say more."""
    _check_keys(section, _KEYS)
    if not _NAME.fullmatch(name):
        section.faults.add(section.place, "a name is made of a-z, 0-9 and -, beginning with a-z")
        return None
    merged = Table({**_built_in(name), **section.data}, section.place, section.faults)
    missing = [key for key in ("kind", "base_url", "token_url") if key not in merged]
    if missing:
        section.faults.add(section.place, f"lacks {', '.join(missing)}")
    kind = merged.choice("kind", [kind.value for kind in Kind])
    speed = POLITE[Kind(kind or "production")]
    rate = merged.number("rate", least=_LEAST_RATE, most=_MOST_RATE)
    read_rate = merged.number("read_rate", least=_LEAST_RATE, most=_MOST_RATE)
    concurrency = merged.whole("concurrency", least=1, most=_MOST_CONCURRENCY)
    windows, timezone = _hours(merged)
    base_url, token_url, base_uri = (_url(merged, key) for key in _ADDRESSES)
    if kind is None or base_url is None or token_url is None:
        return None
    base_url = base_url.rstrip("/")
    environment = Environment(
        name=name,
        kind=Kind(kind),
        base_url=base_url,
        token_url=token_url,
        base_uri=(base_uri or base_url).rstrip("/") + "/",
        rate=rate or speed.rate,
        read_rate=read_rate or speed.read_rate,
        concurrency=concurrency or speed.concurrency,
        windows=windows,
        timezone=timezone,
    )
    check_addresses(environment, section.fault)
    return environment


def _check_keys(section: Table, known: tuple[str, ...]) -> None:
    section.only((*known, "client_secret"))
    if "client_secret" in section:
        section.fault(
            "client_secret",
            "a secret never stands in a file; use the environment variable, the keyring or "
            "client_secret_command",
        )


def _url(section: Table, key: str) -> str | None:
    text = section.text(key)
    if text is None:
        return None
    try:
        return clean_url(text, identifier=key == "base_uri")
    except ValueError as error:
        section.fault(key, str(error))
        return None


def _hours(section: Table) -> tuple[tuple[str, ...], str]:
    windows = section.texts("windows") or ()
    timezone = section.text("timezone") or "Europe/Stockholm"
    for window in windows:
        try:
            parse_window(window)
        except ValueError as error:
            section.fault("windows", f"{window[:20]!r} {error}")
    try:
        time_zone(timezone)
    except ValueError as error:
        section.fault("timezone", str(error))
    return windows, timezone


# Clients


def read_clients(
    sections: Table, file: ConfigFile | None, *, named: bool
) -> dict[str, ClientPlace]:
    """Return what the project's file says of clients.

    A command counts only in a file that ``--config`` named, that belongs to the user and that
    nobody else can write: a folder that came from elsewhere must not start programs.
    """
    found: dict[str, ClientPlace] = {}
    for name in sections.data:
        section = sections.table(name)
        if "client_secret_command" in section and not (file and file.own and named):
            section.fault(
                "client_secret_command",
                "counts only in your own configuration folder, or in a file named by --config "
                "that belongs to you and that nobody else may write (chmod go-w)",
            )
        found[name] = _client(section, file)
    return found


def read_own_clients(file: ConfigFile) -> dict[str, ClientPlace]:
    """Return what the user's own file says of clients; nothing else may stand in it.

    Raises:
        ConfigError: with every fault found, or the file is not the user's alone.
    """
    if not file.own:
        raise ConfigError(
            f"{file.path} must belong to you, and nobody else may write to it.",
            hint=f"chmod go-w {file.path}",
        )
    faults = Faults(file)
    top = Table(file.data, (), faults)
    top.only(("environments",))
    sections = top.table("environments")
    found: dict[str, ClientPlace] = {}
    for name in sections.data:
        section = sections.table(name)
        _check_keys(section, (*_CLIENT_KEYS, "token_url"))
        if name not in BUILT_IN and "token_url" not in section:
            section.faults.add(section.place, "lacks token_url, the login that the secret is for")
        found[name] = _client(section, file, token_url=_url(section, "token_url"))
    faults.raise_if_any()
    return found


def _client(section: Table, file: ConfigFile | None, token_url: str | None = None) -> ClientPlace:
    arguments = section.texts("client_secret_command")
    if arguments is not None and not arguments:
        section.fault("client_secret_command", "must name a program")
    command = (
        SecretCommand(arguments=arguments, folder=file.path.absolute().parent)
        if arguments and file
        else None
    )
    return ClientPlace(client_id=section.text("client_id"), command=command, token_url=token_url)


def merge_clients(
    environments: Mapping[str, Environment],
    project: Mapping[str, ClientPlace],
    own: Mapping[str, ClientPlace],
) -> dict[str, ClientPlace]:
    """Return for each environment what counts: the project's word before the user's own.

    Raises:
        ConfigError: the user's secret is for another login than the project's file names.
    """
    merged: dict[str, ClientPlace] = {}
    for name, environment in environments.items():
        first, second = project.get(name, ClientPlace()), own.get(name, ClientPlace())
        if second.token_url is not None and second.token_url != environment.token_url:
            raise ConfigError(
                f"{name}: your own configuration keeps a secret for {second.token_url}, but this "
                f"configuration would send it to {environment.token_url}."
            )
        merged[name] = ClientPlace(
            client_id=first.client_id or second.client_id, command=first.command or second.command
        )
    return merged
