"""``check``, ``new``, ``schema``, ``plan`` and ``advance``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulkrunner.cli.commands.completion import complete_environments, job_argument
from bulkrunner.cli.options import (
    Invocation,
    given_inputs,
    given_parameters,
    global_options,
    input_option,
    parameter_option,
)
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    pass


@click.command()
@job_argument
@click.option("--explain", is_flag=True, help="Say in a sentence what each step will do.")
@global_options
def check(invocation: Invocation, job: Path, *, explain: bool) -> None:
    """Read a manifest and its input files, offline, and show every fault at once."""
    with invocation.runner() as runner:
        runner.check(job, explain=explain)


@click.command()
@click.argument("name", required=False)
@click.option("--kind", default="update", show_default=True, help="What kind of job it is.")
@click.option(
    "--sigel",
    "sigels",
    multiple=True,
    help="The library's sigel, to be filled in; given twice, also the other library's.",
)
@click.option(
    "--in",
    "parent",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to make the folder (default: here).",
)
@click.option("--kinds", "listing", is_flag=True, help="List the kinds of jobs, and make nothing.")
@global_options
def new(
    invocation: Invocation,
    name: str | None,
    kind: str,
    sigels: tuple[str, ...],
    parent: Path,
    *,
    listing: bool,
) -> None:
    """Make a new job folder with a commented manifest of a kind of job."""
    from bulkrunner.adapters.job_folders import kinds, new_job
    from bulkrunner.adapters.machine import SystemClock

    if listing:
        known = kinds()
        invocation.document["kinds"] = known
        for one, sentence in known.items():
            invocation.say(f"{one.ljust(max(map(len, known)))}  {invocation.worded(sentence)}")
        return
    if name is None:
        raise click.UsageError(Sentence("usage_name_missing"), click.get_current_context())
    today = SystemClock().now().date().isoformat()
    made = new_job(name, parent, kind=kind, sigels=sigels, today=today)
    folder = made.folder
    invocation.document.update(
        job=name,
        kind=kind,
        folder=str(folder),
        manifest=str(folder / "job.yaml"),
        files=list(made.files),
    )
    invocation.say(Sentence("job_folder_ready", folder=str(folder), files=list(made.files)))
    invocation.say(Sentence("job_folder_ready_then", folder=str(folder)))


@click.command()
@click.argument("what", type=click.Choice(["manifest", "configuration"]), default="manifest")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file."
)
@global_options
def schema(invocation: Invocation, what: str, out: Path | None) -> None:
    """Print the JSON Schema of manifests, or of the configuration, for editors."""
    import json

    from bulkrunner.adapters.manifests import job_schema
    from bulkrunner.config import toml_file
    from bulkrunner.errors import UsageError, why_of

    text = (job_schema if what == "manifest" else toml_file).schema_text()
    invocation.document["schema"] = json.loads(text)
    if out is None:
        invocation.say(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            Sentence("file_not_written_to", path=str(out), why=why_of(error))
        ) from None
    invocation.document["path"] = str(out)
    if what == "manifest":
        said = Sentence("schema_of_manifest_written", path=str(out))
    else:
        said = Sentence("schema_of_configuration_written", path=str(out))
    invocation.say(said)
    line = "# yaml-language-server: $schema=" if what == "manifest" else "#:schema ./"
    invocation.say(f"{line}{out.name}")


@click.command()
@job_argument
@click.option(
    "--env",
    "environment",
    shell_complete=complete_environments,
    required=True,
    metavar="ENV",
    help="Environment to plan for.",
)
@parameter_option
@input_option
@click.option(
    "--source",
    "reads",
    type=click.Choice(["auto", "dump", "get"]),
    default="auto",
    show_default=True,
    help="Read records from their library's dump where that saves requests, always, or one by one.",
)
@global_options
def plan(
    invocation: Invocation,
    job: Path,
    environment: str,
    parameters: tuple[str, ...],
    inputs: tuple[str, ...],
    reads: str,
) -> None:
    """Read the records, compute every change, prove ownership, and store the plan.

    Never writes to the catalogue.
    """
    given, files = given_parameters(parameters), given_inputs(inputs)
    with invocation.runner() as runner:
        runner.plan(job, environment, parameters=given, inputs=files, source=reads)


@click.command()
@job_argument
@parameter_option
@input_option
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where the report is written (default: here).",
)
@global_options
def advance(
    invocation: Invocation,
    job: Path,
    parameters: tuple[str, ...],
    inputs: tuple[str, ...],
    reports: Path,
) -> None:
    """Check, plan and try a job, plan it for production, and run it where KB's yes stands."""
    given, files = given_parameters(parameters), given_inputs(inputs)
    with invocation.runner() as runner:
        runner.advance(job, parameters=given, inputs=files, reports=reports)
