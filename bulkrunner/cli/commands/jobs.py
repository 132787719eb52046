"""``check`` and ``new``: manifests, offline."""

from __future__ import annotations

from pathlib import Path

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("job", type=click.Path(path_type=Path))
@global_options
def check(invocation: Invocation, job: Path) -> None:
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
    invocation.say(f"  manifest digest {head.manifest_digest}")
    invocation.say(f"next: bulkrunner plan {job} --env staging")


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
