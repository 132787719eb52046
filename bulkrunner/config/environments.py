"""Environments, where their clients' secrets come from, and the policy with its rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkrunner.config.network import BUILT_IN, check_addresses, clean_url
from bulkrunner.config.toml_file import ConfigFile, Faults, Place, fitting, read_config_file
from bulkrunner.domain.environment import POLITE, PRODUCTION_HOST, Environment, Kind
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rules import KB_RULES, Rule, RuleKind
from bulkrunner.domain.schedule import parse_window, time_zone
from bulkrunner.errors import ConfigError, Fault
from bulkrunner.sentences import Sentence

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


def read_policy(given: Mapping[str, Any], folder: Path, faults: Faults) -> Policy:
    """Return the policy; what the file does not say is as built in.

    Args:
        given: the table of the configuration, as its schema has it.
        folder: what the path of the policy file starts from.
        faults: gets what the schema does not see.

    Raises:
        ConfigError: the policy file is wrong.
    """
    values = dict(given)
    if "test_hosts" in values:
        values["test_hosts"] = _test_hosts(values["test_hosts"], faults)
    if "rules" in values:
        values["rules"] = read_rules(folder / values["rules"])
    return Policy(**values)


def _test_hosts(given: list[str], faults: Faults) -> tuple[str, ...]:
    hosts = [host.lower().rstrip(".") for host in given]
    place: Place = ("policy", "test_hosts")
    for host in hosts:
        if not _HOST.fullmatch(host):
            faults.add(place, Sentence("config_no_host", given=repr(host[:60])))
        elif host == PRODUCTION_HOST or host.endswith("." + PRODUCTION_HOST):
            faults.add(place, Sentence("config_host_production", host=host))
    return tuple(hosts)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a policy file. ConfigError: it cannot be read, or with every fault found."""
    file = read_config_file(path)
    faults = Faults(file)
    found: dict[str, Rule] = {}
    for number, item in enumerate(fitting(file, faults, "rule_file").get("rule", ()), start=1):
        if item is None:
            continue
        rule = _rule(item)
        place = ("rule", str(number))
        if rule.id in found or rule.id in {known.id for known in KB_RULES}:
            faults.add((*place, "id"), Sentence("config_rule_twice", id=rule.id))
        check_windows(rule.hours, (*place, "hours"), faults)
        found[rule.id] = rule
    faults.raise_if_any()
    return tuple(found.values())


def _rule(item: Mapping[str, Any]) -> Rule:
    kind = RuleKind(item["kind"])
    people = {"people": 2} if kind is RuleKind.APPROVERS else {}
    return Rule.from_dict({**people, **item})


def check_windows(windows: tuple[str, ...], place: Place, faults: Faults) -> None:
    """Note every window that is none."""
    for window in windows:
        try:
            parse_window(window)
        except Fault as fault:
            said = Sentence("config_value", given=repr(window[:20]), said=fault.said)
            faults.add(place, said)


_NEEDED = ("kind", "base_url", "token_url")


@dataclass(frozen=True, kw_only=True)
class OwnCommand:
    """A program of the user's own; it runs in the folder of the file that names it."""

    arguments: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class ClientPlace:
    """What files say of an environment's client, besides variables and keyring.

    Attributes:
        token_url: the only login that the command's secret may be sent to, where the file says so.
    """

    client_id: str | None = None
    command: OwnCommand | None = None
    token_url: str | None = None


def read_environments(
    sections: Mapping[str, Mapping[str, Any]], faults: Faults
) -> dict[str, Environment]:
    """Return the built-in environments and those of the file, faults of these noted."""
    names = dict.fromkeys([*BUILT_IN, *sections])
    found = {name: _read_environment(name, sections.get(name, {}), faults) for name in names}
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


def _read_environment(name: str, section: Mapping[str, Any], faults: Faults) -> Environment | None:
    """Return an environment; None where too much is wrong with it to say more."""
    place = ("environments", name)
    given = {**_built_in(name), **section}
    missing = [key for key in _NEEDED if key not in given and not faults.at((*place, key))]
    if missing:
        faults.add(place, Sentence("config_lacks", missing=", ".join(missing)))
    for key in ("base_url", "token_url", "base_uri"):
        given[key] = _url(given.get(key), (*place, key), faults)
    windows = tuple(given.get("windows", ()))
    check_windows(windows, (*place, "windows"), faults)
    timezone = given.get("timezone", "Europe/Stockholm")
    try:
        time_zone(timezone)
    except Fault as fault:
        faults.add((*place, "timezone"), fault.said)
    if any(given.get(key) is None for key in _NEEDED):
        return None
    kind = Kind(given["kind"])
    speed = POLITE[kind]
    base_url = given["base_url"].rstrip("/")
    environment = Environment(
        name=name,
        kind=kind,
        base_url=base_url,
        token_url=given["token_url"],
        base_uri=(given["base_uri"] or base_url).rstrip("/") + "/",
        rate=given.get("rate", speed.rate),
        read_rate=given.get("read_rate", speed.read_rate),
        concurrency=given.get("concurrency", speed.concurrency),
        windows=windows,
        timezone=timezone,
    )
    check_addresses(environment, lambda key, said: faults.add((*place, key), said))
    return environment


def _url(text: str | None, place: Place, faults: Faults) -> str | None:
    try:
        return None if text is None else clean_url(text, identifier=place[-1] == "base_uri")
    except Fault as fault:
        faults.add(place, fault.said)
        return None


# --- clients ---------------------------------------------------------------------------------


def read_clients(
    sections: Mapping[str, Mapping[str, Any]],
    file: ConfigFile | None,
    faults: Faults,
    *,
    named: bool,
) -> dict[str, ClientPlace]:
    """Return what the project's file says of clients.

    A command counts only in a file that ``--config`` named, that belongs to the user and that
    nobody else can write: a folder that came from elsewhere must not start programs.
    """
    for name, section in sections.items():
        if "client_secret_command" in section and not _starts_programs(file, named=named):
            place = ("environments", name, "client_secret_command")
            faults.add(place, Sentence("config_command_elsewhere"))
    return {name: _client(section, file) for name, section in sections.items()}


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """What the user's own file says: of clients, and of the network."""

    file: ConfigFile | None = None
    clients: Mapping[str, ClientPlace] = field(default_factory=dict)
    hooks: Mapping[str, OwnCommand] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)


def read_own(file: ConfigFile) -> OwnFile:
    """Return what the user's own file says.

    Raises:
        ConfigError: with every fault found, or the file is not the user's alone.
    """
    if not file.own:
        raise ConfigError(
            Sentence("config_not_own", path=str(file.path)),
            hint=Sentence("config_chmod", path=str(file.path)),
        )
    faults = Faults(file)
    found: dict[str, ClientPlace] = {}
    data = fitting(file, faults, "own_file")
    for name, section in data.get("environments", {}).items():
        place = ("environments", name)
        if name not in BUILT_IN and "token_url" not in section:
            faults.add(place, Sentence("config_lacks_login"))
        token_url = _url(section.get("token_url"), (*place, "token_url"), faults)
        found[name] = _client(section, file, token_url=token_url)
    faults.raise_if_any()
    hooks = read_hooks(data.get("hooks", {}), file, faults, named=True)
    return OwnFile(file=file, clients=found, hooks=hooks, network=data.get("network", {}))


def _starts_programs(file: ConfigFile | None, *, named: bool) -> bool:
    """Return True if commands of a file count: a folder that came from elsewhere must start none."""
    return bool(file and file.own and named)


def read_hooks(
    section: Mapping[str, Sequence[str]], file: ConfigFile | None, faults: Faults, *, named: bool
) -> dict[str, OwnCommand]:
    """Return the hook of each event; they count where commands for secrets do."""
    if section and not _starts_programs(file, named=named):
        faults.add(("hooks",), Sentence("config_command_elsewhere"))
    if file is None:
        return {}
    folder = file.path.absolute().parent
    return {
        event: OwnCommand(arguments=tuple(arguments), folder=folder)
        for event, arguments in section.items()
    }


def _client(
    section: Mapping[str, Any], file: ConfigFile | None, token_url: str | None = None
) -> ClientPlace:
    arguments = tuple(section.get("client_secret_command", ()))
    command = (
        OwnCommand(arguments=arguments, folder=file.path.absolute().parent)
        if arguments and file
        else None
    )
    return ClientPlace(client_id=section.get("client_id"), command=command, token_url=token_url)


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
                Sentence(
                    "config_other_login",
                    environment=name,
                    login=second.token_url,
                    other=environment.token_url,
                )
            )
        merged[name] = ClientPlace(
            client_id=first.client_id or second.client_id, command=first.command or second.command
        )
    return merged
