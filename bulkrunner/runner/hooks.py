"""Hooks: commands of the user's own that hear how a command of the program ended.

They change nothing: what goes wrong with one is told, and the command ends as it would have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from bulkrunner.config import SECRET_VARIABLE
from bulkrunner.errors import BulkRunnerError, GateClosed, why_of
from bulkrunner.runner.telling import Telling
from bulkrunner.sentences import Sentence, as_sentence

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program
    from bulkrunner.config import OwnCommand

# Seconds that a hook may take.
PATIENCE = 30.0

# Days before its last one on which a standing approval ends soon.
SOON = 14


def events_of(
    command: str, document: Mapping[str, Any], error: BulkRunnerError | None
) -> Iterator[str]:
    """Yield what has happened, by the document of a command that has ended."""
    if command in ("plan", "resume") and document.get("plan_digest") and error is None:
        yield "plan_complete"
    if isinstance(error, GateClosed) and _waits_for_kb(error):
        yield "waits_for_approval"
    run, state = document.get("run"), document.get("state")
    if command == "advance":
        run, state = _last_run(document)
    if command not in ("run", "resume", "advance") or not run:
        return
    if state == "completed":
        yield "run_ended"
    if state == "stopped":
        yield "stopped"
    if (_outcomes(document) or {}).get("conflict"):
        yield "conflict"


def _waits_for_kb(error: GateClosed) -> bool:
    """Return True if nothing is missing but the answer."""
    return {gate.name for gate in error.gates if not gate.open} == {"approval"}


def _steps(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in document.get("steps") or () if one.get("step") == "run"]


def _last_run(document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    steps = _steps(document)
    if not steps or not steps[-1].get("run"):
        return None, None
    return steps[-1]["run"], steps[-1].get("state")


def _outcomes(document: Mapping[str, Any]) -> Mapping[str, int] | None:
    steps = _steps(document)
    found: Mapping[str, int] | None = (
        steps[-1].get("outcomes") if steps else document.get("outcomes")
    )
    return found


def standing_ends_soon(program: Program, job: str | None, today: date) -> bool:
    """Return True if the standing approval by which a job runs has few days left."""
    if not job:
        return False
    recurring = program.gating.recurring()
    holding = [one for one in recurring.given(job) if recurring.ended(one) is None]
    return bool(holding) and all((one.bounds.until - today).days <= SOON for one in holding)


def call(hook: OwnCommand, event: str, told: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Start a hook with the JSON document on stdin, and wait until it ends.

    ValueError: it did not do well; the text is a sentence that says how.
    """
    import subprocess

    content = json.dumps({"event": event, **told}, default=str, ensure_ascii=False).encode()
    kept = {name: value for name, value in environ.items() if not name.endswith(SECRET_VARIABLE)}
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments from a file of the user's own)
            list(hook.arguments),
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=hook.folder,
            env=kept,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(Sentence("hook_slow", event=event, most=f"{PATIENCE:g}")) from None
    except BrokenPipeError:
        return  # it did not want to know all of it
    except OSError as error:
        raise ValueError(Sentence("hook_unstarted", event=event, why=why_of(error))) from None
    if done.returncode:
        raise ValueError(Sentence("hook_failed", event=event, status=done.returncode))


def call_hooks(
    program: Program, telling: Telling, command: str, error: BulkRunnerError | None
) -> None:
    """Start the hooks of what has happened; what goes wrong with one is told, and changes nothing."""
    document = dict(telling.document)
    try:
        configured = program.settings.hooks
        events = list(events_of(command, document, error)) if configured else []
        if configured and command == "advance":
            today = program.clock.now().date()
            if standing_ends_soon(program, document.get("job"), today):
                events.append("standing_ends_soon")
    except BulkRunnerError:
        return  # what is wrong with configuration or ledger is told already
    wrong = error and {"code": error.code, "message": error.message, "hint": error.hint}
    told = {"command": command, "document": document, "error": wrong}
    for event in events:
        if event in configured:
            try:
                call(configured[event], event, told, program.environ)
            except ValueError as fault:
                telling.say(as_sentence(fault.args[0]), err=True)
