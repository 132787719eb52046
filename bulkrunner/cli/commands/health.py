"""``doctor`` and ``clients``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program
    from bulkrunner.services.clients import Examined


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
        examined = program.reports.examine(environment)
        invocation.document["environments"] = [found.as_document() for found in examined]
        hosts = sorted({host for found in examined for host in found.facts["hosts"]})
        invocation.document["hosts"] = hosts
        for found in examined:
            for indent, said in found.lines():
                invocation.say(said, indent=indent)
        _tell_network(invocation, program)
        if examined:
            invocation.say(Sentence("hosts", hosts=", ".join(hosts)))
        else:
            invocation.say(Sentence("no_client_hint"))
        _tell_idle(invocation, program)
        head = program.ledger.chain.head()
        invocation.document["ledger"] = {"place": program.ledger_place(), "head": head}
        invocation.say(Sentence("ledger_readable", place=program.ledger_place(), head=head))
        _require_access(examined)


def _tell_network(invocation: Invocation, program: Program) -> None:
    """Say by which way servers are reached, without the password of a proxy."""
    network = program.settings.network
    invocation.document["network"] = network.as_document()
    proxy = network.proxy
    if proxy is None:
        invocation.say(Sentence("proxy_none"))
    elif proxy.login:
        invocation.say(Sentence("proxy_with_login", proxy=proxy.address, named_by=proxy.named_by))
    else:
        invocation.say(Sentence("proxy_used", proxy=proxy.address, named_by=proxy.named_by))
    if network.ca_file:
        invocation.say(Sentence("authorities_and", file=str(network.ca_file)))
    else:
        invocation.say(Sentence("authorities"))


def _tell_idle(invocation: Invocation, program: Program) -> None:
    """Speak of API clients that nobody uses: KB wants to know when use has ceased."""
    idle = program.client_service().idle(program.settings.policy.client_unused_days)
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
            Sentence(
                "client_idle",
                client=one.client,
                environment=one.environment,
                last_used_at=one.last_used_at,
                quoted=shlex.quote(one.client),
            )
        )


def _require_access(examined: list[Examined]) -> None:
    """Raise where there is no client, or a login gave no rights, so that scripts see it."""
    from bulkrunner.errors import AccessLost

    if not examined:
        raise AccessLost(
            Sentence("no_client"),
            hint=Sentence("see_above"),
            code="no_credentials",
        )
    closed = [found.name for found in examined if found.facts["rights"] is None]
    if closed:
        raise AccessLost(
            Sentence("no_rights_for", environments=", ".join(closed)),
            hint=Sentence("see_above"),
        )


# Uses of a client shown to people; the document has all.
SHOWN = 5


@click.group(invoke_without_command=True)
@global_options
def clients(invocation: Invocation) -> None:
    """List API clients and what each was used for; retire one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.client_service().listed()
        invocation.document.update(clients=found)
        if not found:
            invocation.say(Sentence("no_client_used"))
        for client in found:
            _show(invocation, client)


def _show(invocation: Invocation, client: dict[str, Any]) -> None:
    retired = client["retired_at"]
    if retired:
        state = Sentence("client_retired", at=retired, by=client["retired_by"])
    else:
        state = Sentence("client_in_use")
    invocation.say(
        Sentence(
            "client_listed",
            client=client["client"],
            environment=client["environment"],
            state=state,
            first=client["first_used_at"],
            last=client["last_used_at"],
        )
    )
    for use in client["uses"][:SHOWN]:
        what: str = use["use"]
        if use["what"]:
            what = Sentence("client_use", what=use["what"], use=use["use"], job=use["job"])
        invocation.say(Sentence("client_used", at=use["last_used_at"], what=what), indent=2)
    if len(client["uses"]) > SHOWN:
        invocation.say(Sentence("more_in_json", count=len(client["uses"]) - SHOWN), indent=2)


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
        done, path = program.clients.retire(environment, client, by=who, out=out)
        name = done.client.client
        invocation.document.update(
            environment=environment,
            client=name,
            retired_at=done.client.retired_at.isoformat() if done.client.retired_at else None,
            retired_by=done.client.retired_by,
            notice=str(path),
        )
        invocation.say(Sentence("client_blocked", name=name, environment=environment))
        invocation.say(Sentence("client_notice", path=str(path)))
        invocation.say(Sentence("client_secret_goes"))
        for run in done.unfinished:
            invocation.say(Sentence("client_unfinished", run=run.id))
