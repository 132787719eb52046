"""``doctor``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from bulkrunner.cli.options import Invocation, global_options

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program
    from bulkrunner.services.diagnosing import Examined


@click.command()
@click.option(
    "--env",
    "environment",
    metavar="ENV",
    help="Only this environment (default: all with a client).",
)
@global_options
def doctor(invocation: Invocation, environment: str | None) -> None:
    """Look at configuration, credentials, rights, reachability, clock and ledger."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        examined = program.examine(environment)
        invocation.document["environments"] = [found.as_document() for found in examined]
        hosts = sorted({host for found in examined for host in found.facts["hosts"]})
        invocation.document["hosts"] = hosts
        for found in examined:
            for line in found.lines():
                invocation.say(line)
        _tell_network(invocation, program)
        if examined:
            invocation.say(f"hosts it would talk to: {', '.join(hosts)}")
        else:
            invocation.say(
                "no environment has a client: set BULKRUNNER_<ENV>_CLIENT_ID and "
                "BULKRUNNER_<ENV>_CLIENT_SECRET, or name one with --env; a secret in the keyring "
                "is found once the client id is set (or client_id in the configuration)"
            )
        _tell_idle(invocation, program)
        head = program.ledger.head()
        invocation.document["ledger"] = {"place": program.ledger_place(), "head": head}
        invocation.say(f"ledger {program.ledger_place()}: readable, head {head}")
        _require_access(examined)


def _tell_network(invocation: Invocation, program: Program) -> None:
    """Say by which way servers are reached, without the password of a proxy."""
    network = program.settings.network
    invocation.document["network"] = network.as_document()
    if network.proxy is None:
        invocation.say("proxy: none")
    else:
        login = ", with a user name and password" if network.proxy.login else ""
        invocation.say(f"proxy: {network.proxy.address} (from {network.proxy.named_by}{login})")
    more = f", and those of {network.ca_file}" if network.ca_file else ""
    invocation.say(f"certificate authorities: the system's{more}")


def _tell_idle(invocation: Invocation, program: Program) -> None:
    """Speak of API clients that nobody uses: KB wants to know when use has ceased."""
    idle = program.idle_clients()
    invocation.document["idle_clients"] = [
        {
            "environment": one.environment,
            "client": one.client,
            "last_used_at": one.last_used_at.isoformat(),
        }
        for one in idle
    ]
    for one in idle:
        invocation.say(
            f"! the client {one.client} of {one.environment} was last used "
            f"{one.last_used_at:%Y-%m-%d}; if it is no longer needed, tell KB: "
            f"bulkrunner clients retire {one.environment} {shlex.quote(one.client)}"
        )


def _require_access(examined: list[Examined]) -> None:
    """Raise where there is no client, or a login gave no rights, so that scripts see it."""
    from bulkrunner.errors import AccessLost

    if not examined:
        raise AccessLost(
            "no environment has a client", hint="see what stands above", code="no_credentials"
        )
    closed = [found.name for found in examined if found.facts["rights"] is None]
    if closed:
        raise AccessLost(
            f"the login gives no rights for {', '.join(closed)}", hint="see what stands above"
        )
