"""``clients``: the API clients that KB gave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bulkrunner.cli.options import Invocation, global_options

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
