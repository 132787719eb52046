"""``doctor`` and ``clients``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.options import Invocation, global_options

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program
    from bulkrunner.services.doctor import Examined


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


SHOWN = 5

"""Uses of a client shown to people; the document has all."""


@click.group(invoke_without_command=True)
@global_options
def clients(invocation: Invocation) -> None:
    """List API clients and what each was used for; retire one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.listed_clients()
        invocation.document.update(clients=found)
        if not found:
            invocation.say("no API client was used from this ledger yet")
        for client in found:
            _show(invocation, client)


def _show(invocation: Invocation, client: dict[str, Any]) -> None:
    retired = client["retired_at"]
    state = f"retired {retired[:10]} by {client['retired_by']}" if retired else "in use"
    invocation.say(
        f"{client['client']} of {client['environment']}: {state}; used first "
        f"{client['first_used_at'][:10]}, last {client['last_used_at'][:10]}"
    )
    for use in client["uses"][:SHOWN]:
        what = f"{use['what']} {use['use']} of {use['job']}" if use["what"] else use["use"]
        invocation.say(f"  {use['last_used_at'][:16].replace('T', ' ')} UTC  {what}")
    if len(client["uses"]) > SHOWN:
        invocation.say(f"  … and {len(client['uses']) - SHOWN} more; --json has all")


@clients.command()
@click.argument("environment", metavar="ENV")
@click.argument("client", required=False)
@click.option("--by", metavar="NAME", help="Who reports it; default: who runs the program.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the notice is written; default: retired-ENV-CLIENT.txt here.",
)
@global_options
def retire(
    invocation: Invocation, environment: str, client: str | None, by: str | None, out: Path | None
) -> None:
    """Write the notice to KB that a client is used no more, and block it here."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        who = (by or "").strip() or program.account()
        done, path = program.retire(environment, client, by=who, out=out)
        name = done.client.client
        invocation.document.update(
            environment=environment,
            client=name,
            retired_at=done.client.retired_at.isoformat() if done.client.retired_at else None,
            retired_by=done.client.retired_by,
            notice=str(path),
        )
        invocation.say(f"{name} of {environment} is blocked in this ledger")
        invocation.say(f"send this to KB: {path}")
        invocation.say("then remove its secret from variables, keyring and password store")
        for run in done.unfinished:
            invocation.say(f"run {run.id} stays unfinished; only another client can resume it")
