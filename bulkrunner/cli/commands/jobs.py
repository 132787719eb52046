"""``check``, ``new``, ``schema`` and ``plan``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.commands.completion import complete_environments, complete_jobs
from bulkrunner.cli.console import counted, counts_said
from bulkrunner.cli.options import (
    Invocation,
    demand_parameters,
    given_inputs,
    given_parameters,
    global_options,
)
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.errors import Fault


@click.command()
@click.argument("job", type=click.Path(path_type=Path), shell_complete=complete_jobs)
@click.option("--explain", is_flag=True, help="Say in a sentence what each step will do.")
@global_options
def check(invocation: Invocation, job: Path, *, explain: bool) -> None:
    """Read a manifest and its input files, offline, and show every fault at once."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.errors import ManifestError

    program = Program(invocation.config, invocation.ledger)
    document = invocation.document
    try:
        loaded = program.load_job(job)
    except ManifestError as error:
        document["problems"] = [_fault(problem) for problem in error.problems]
        raise
    head = loaded.job
    document.update(
        job=head.id,
        manifest_digest=head.manifest_digest,
        effect_digest=head.effect_digest,
        operations=loaded.counts,
        problems=[],
        notes=[_fault(note) for note in (*loaded.notes, *loaded.unreadable)],
    )
    invocation.say(f"{head.id}: {head.title}")
    invocation.say(counts_said(loaded.counts), indent=2)
    document["inputs"] = loaded.inputs
    if explain:
        document["explained"] = loaded.explained
        for sentence in loaded.explained:
            invocation.say(sentence, indent=2)
    for read in loaded.inputs:
        invocation.say(input_told(read), indent=2)
    for note in loaded.notes:
        invocation.say(Sentence("note", note=note.whole), indent=2)
    for line in loaded.unreadable:
        invocation.say(Sentence("names_no_record", line=line.whole), indent=2)
    if (rest := loaded.counts["unreadable"] - len(loaded.unreadable)) > 0:
        invocation.say(Sentence("more_in_report", rest=rest), indent=2)
    invocation.say(Sentence("manifest_digest", manifest_digest=head.manifest_digest), indent=2)
    wanted = "".join(f" --param {one.name}=…" for one in loaded.missing)
    invocation.say(Sentence("next", command=f"bulkrunner plan {job} --env staging{wanted}"))


def _fault(problem: Fault) -> dict[str, Any]:
    return {
        "file": problem.source.file,
        "line": problem.source.line,
        "column": problem.source.column,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def input_told(read: Mapping[str, Any]) -> Sentence:
    """Return how a list or table was read, on one line."""
    parts: list[str] = [read["kind"], *([read["encoding"]] if "encoding" in read else [])]
    if "sheet" in read:
        parts.append(Sentence("input_sheet", sheet=read["sheet"]))
    if "header_row" in read:
        parts.append(Sentence("input_header_row", row=read["header_row"]))
    separator, of_header = read.get("separator"), read.get("header_separator")
    if separator is not None:
        parts.append(Sentence("input_separator", separator=_separator(separator)))
    if of_header is not None and of_header != separator:
        parts.append(Sentence("input_header_separator", separator=_separator(of_header)))
    parts.append(Sentence("input_lines", count=read["lines"]))
    if read.get("hidden") == "use":
        parts.append(Sentence("input_hidden", count=read["hidden_rows"]))
    parts += [counted(code, count) for code, count in read["left_out"].items()]
    return Sentence("input", file=read["file"], parts=parts)


def _separator(text: str) -> str:
    if text == "\t":
        return Sentence("separator_tab")
    return Sentence("separator_blanks") if text == " " else text


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
@click.argument("job", type=click.Path(path_type=Path), shell_complete=complete_jobs)
@click.option(
    "--env",
    "environment",
    shell_complete=complete_environments,
    required=True,
    metavar="ENV",
    help="Environment to plan for.",
)
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a parameter of the manifest; repeatable.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="FILE=PATH",
    help="Read this file in place of one that the manifest names; repeatable.",
)
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
    from bulkrunner.bootstrap import Program
    from bulkrunner.cli.conclude import plan_concluded
    from bulkrunner.cli.console import ConsoleProgress

    given = given_parameters(parameters)
    files = given_inputs(inputs)
    with Program(invocation.config, invocation.ledger) as program:
        invocation.document.update(environment=environment)
        loaded = program.load_job(job, given, files)
        demand_parameters(loaded.missing)
        invocation.document.update(
            job=loaded.job.id,
            manifest_digest=loaded.job.manifest_digest,
            effect_digest=loaded.job.effect_digest,
        )
        progress = ConsoleProgress(invocation.worded)
        with program.plans.planning(
            environment, progress, agreed_rate=loaded.job.agreement.rate
        ) as planning:
            for note in loaded.notes:
                invocation.say(Sentence("note", note=note.whole))
            plan_concluded(
                invocation, program, planning, lambda: planning.make(loaded, reads=reads)
            )
