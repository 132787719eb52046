"""``report`` and ``status``, ``doctor`` and ``clients``: what only looks and tells."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.commands.completion import complete_environments, complete_ids
from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.errors import UsageError
from bulkrunner.runner.lines import status_lines, tell_written
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program
    from bulkrunner.services.clients import Examined

# Options that do not go with others.
APART = {
    "--for": ("--each-library", "--diff", "--semicolons", "--format"),
    "--each-library": ("--diff", "--out", "--semicolons", "--format"),
    "--semicolons": ("--diff", "--format"),
    "--standing": ("--diff", "--for", "--each-library", "--semicolons"),
}

FORMS = ["html", "json", "jsonl", "csv", "xlsx", "md", "zip"]


@click.command()
@click.argument("ids", metavar="ID", nargs=-1, shell_complete=complete_ids)
@click.option(
    "--diff",
    is_flag=True,
    help="Say what changed between two plans instead; give both, the older first (md or json).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="Form of the report  [default: html; md with --diff]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="File to write (default: ID.FORMAT here).",
)
@click.option(
    "--semicolons",
    is_flag=True,
    help="CSV as a Swedish Excel opens it: semicolons, and a first line that says so.",
)
@click.option("--for", "sigel", metavar="SIGEL", help="The page of one library, to be sent to it.")
@click.option(
    "--each-library",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The page of each library, into this folder.",
)
@click.option(
    "--standing",
    "ref",
    metavar="REF",
    help="Sum up what was done under a standing approval instead (html, md or json).",
)
@click.option("--month", metavar="YYYY-MM", help="With --standing: only this month.")
@global_options
def report(
    invocation: Invocation,
    ids: tuple[str, ...],
    *,
    ref: str | None,
    month: str | None,
    diff: bool,
    form: str | None,
    out: Path | None,
    sigel: str | None,
    folder: Path | None,
    semicolons: bool,
) -> None:
    """Write what the reviewer at KB reads, of a plan or a run; or what changed between two plans."""
    language = invocation.language or "sv"
    if ref is None and not ids:
        raise click.UsageError(Sentence("usage_argument_missing", name="'ID...'"))
    if month is not None and (ref is None or not re.fullmatch(r"\d{4}-(0\d|1[0-2])", month)):
        raise click.UsageError(Sentence("report_month", month=month[:20]))
    wanted = 0 if ref is not None else 2 if diff else 1
    if len(ids) != wanted:
        raise UsageError(
            Sentence("report_ids", wanted=wanted, count=len(ids)),
            hint=Sentence("report_ids_hint"),
        )
    to_libraries = sigel is not None or folder is not None
    given = {
        "--for": sigel is not None,
        "--each-library": folder is not None,
        "--diff": diff,
        "--out": out is not None,
        "--semicolons": semicolons,
        "--standing": ref is not None,
        f"--format {form}": to_libraries and form not in (None, "html"),
        "--format html": semicolons and form != "csv",
    }
    _refuse_apart([option for option, there in given.items() if there])
    with invocation.runner() as runner:
        if ref is not None:
            found = runner.program.reports.write_standing(
                ref, month=month or "", form=form or "html", language=language, out=out
            )
            invocation.document.update(found.as_dict())
            tell_written(invocation, found)
            return
        runner.report(
            ids[-1],
            form=form,
            out=out,
            semicolons=semicolons,
            older=ids[0] if diff else None,
            library=sigel,
            libraries=folder,
        )


def _refuse_apart(given: Sequence[str]) -> None:
    """Go on where the options go together. UsageError: two of them do not."""
    for option, others in APART.items():
        for other in given:
            if option in given and other.startswith(others):
                raise UsageError(
                    Sentence("report_options_apart", option=option, other=other),
                    hint=Sentence("report_options_apart_hint"),
                )


@click.command()
@click.argument("id", required=False, shell_complete=complete_ids)
@click.option("--watch", is_flag=True, help="Show it again and again until nothing is running.")
@global_options
def status(invocation: Invocation, id: str | None, *, watch: bool) -> None:  # noqa: A002
    """Show jobs, plans, runs and gates, and the next command to give."""
    with invocation.runner() as runner:
        if watch:
            _watch(invocation, runner.program, id)
        else:
            runner.status(id)


def _watch(invocation: Invocation, program: Program, prefix: str | None) -> None:
    """Show what changes; Ctrl-C ends it as well as the end of the last run."""
    shown: list[str] = []
    try:
        for found in program.standing.watch(prefix):
            invocation.document.update(found.as_document())
            lines = [" " * n + invocation.worded(said) for n, said in status_lines(found)]
            if lines != shown:
                if not invocation.as_json and sys.stdout.isatty():
                    click.clear()
                invocation.say("\n".join(lines))
                shown = lines
    except KeyboardInterrupt:
        return


@click.command()
@click.option(
    "--env",
    "environment",
    shell_complete=complete_environments,
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
        problems = program.ledger_problems()
        invocation.document["ledger"] = {
            "place": program.ledger_place(),
            "head": head,
            "problems": problems,
        }
        invocation.say(Sentence("ledger_readable", place=program.ledger_place(), head=head))
        for problem in problems:
            invocation.say(Sentence("doctor_problem", problem=problem), indent=2)
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
@click.argument("environment", metavar="ENV", shell_complete=complete_environments)
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
