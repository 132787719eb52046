"""``check`` and ``new``: manifests, offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("job", type=click.Path(path_type=Path))
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
        document["problems"] = [
            {
                "file": problem.source.file,
                "line": problem.source.line,
                "column": problem.source.column,
                "code": problem.code,
                "message": problem.message,
                "hint": problem.hint,
            }
            for problem in error.problems
        ]
        raise
    head = loaded.job
    document.update(
        job=head.id,
        manifest_digest=head.manifest_digest,
        effect_digest=head.effect_digest,
        operations=loaded.counts,
        problems=[],
    )
    invocation.say(f"{head.id}: {head.title}")
    invocation.say(
        "  " + ", ".join(f"{count:,} {what}" for what, count in loaded.counts.items() if count)
    )
    document["inputs"] = loaded.inputs
    if explain:
        document["explained"] = loaded.explained
        for sentence in loaded.explained:
            invocation.say(f"  {sentence}")
    for read in loaded.inputs:
        invocation.say("  " + input_told(read))
    invocation.say(f"  manifest digest {head.manifest_digest}")
    wanted = "".join(f" --param {one.name}=…" for one in loaded.missing)
    invocation.say(f"next: bulkrunner plan {job} --env staging{wanted}")


SEPARATORS = {"\t": "tab", " ": "blanks"}


def input_told(read: Mapping[str, Any]) -> str:
    """Return how a list or table was read, on one line."""
    names = {"separator": "separated by", "header_separator": "header separated by"}
    parts = [read["kind"], *([read["encoding"]] if "encoding" in read else [])]
    if "sheet" in read:
        parts.append(f"sheet {read['sheet']}")
    separators = {read[key] for key in names if key in read}
    for key, words in names.items():
        if key in read and (key == "separator" or len(separators) > 1):
            parts.append(f"{words} {SEPARATORS.get(read[key], read[key])}")
    parts.append(f"{read['lines']:,} lines")
    parts += [f"{count:,} {code}" for code, count in read["left_out"].items()]
    return f"{read['file']}: " + ", ".join(parts)


@click.command()
@click.argument("name")
@click.option(
    "--in",
    "parent",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to make the folder (default: here).",
)
@global_options
def new(invocation: Invocation, name: str, parent: Path) -> None:
    """Make a new job folder with a commented manifest."""
    from bulkrunner.bootstrap import new_job_folder

    folder = new_job_folder(name, parent)
    invocation.document.update(job=name, folder=str(folder), manifest=str(folder / "job.yaml"))
    invocation.say(f"{folder}/ is ready: fill in job.yaml, then: bulkrunner check {folder}")
