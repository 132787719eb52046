"""``report``."""

from __future__ import annotations

from pathlib import Path

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("id")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "json", "jsonl", "csv"]),
    default="html",
    show_default=True,
    help="Form of the report.",
)
@click.option(
    "--lang",
    "language",
    type=click.Choice(["sv", "en"]),
    default="sv",
    show_default=True,
    help="Language of the page.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="File to write (default: ID.FORMAT here).",
)
@global_options
def report(invocation: Invocation, id: str, form: str, language: str, out: Path | None) -> None:  # noqa: A002
    """Write what the reviewer at KB reads, of a plan or a run."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        written = program.write_report(id, form=form, language=language, out=out)
        invocation.document.update(
            plan=written.plan, run=written.run, format=form, path=str(written.path)
        )
        invocation.say(str(written.path))
