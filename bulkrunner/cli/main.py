"""The command group, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from bulkrunner.cli.console import flush, tell
from bulkrunner.cli.options import KEYS, Invocation, blank, global_options
from bulkrunner.domain.text import visible
from bulkrunner.errors import BulkRunnerError, GateClosed, ManifestError

COMMANDS = {
    "approve": "answering",
    "check": "jobs",
    "clients": "doctor",
    "demo": "sandbox",
    "doctor": "doctor",
    "ledger": "ledger",
    "new": "jobs",
    "pause": "running",
    "plan": "jobs",
    "rate": "running",
    "reject": "answering",
    "report": "reporting",
    "resume": "running",
    "run": "running",
    "sandbox": "sandbox",
    "schema": "jobs",
    "settle": "running",
    "status": "reporting",
    "stop": "running",
    "undo": "running",
    "verify": "running",
}
"""Command → module of ``bulkrunner.cli.commands``; imported only when needed."""


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return every command in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Return the command, None where there is none of that name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = importlib.import_module(f"bulkrunner.cli.commands.{module}")
        command = getattr(found, cmd_name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, and what is left; a near name is proposed."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0].lower(), COMMANDS, n=1)
            if not near:
                raise
            said = f"{error.message.rstrip('.')}. Did you mean '{near[0]}'?"
            raise click.UsageError(said, ctx) from None


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@global_options
def cli(invocation: Invocation) -> None:
    """Bulk changes to Libris: declared, proved, reviewed, resumable."""
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        tell(context.get_help(), err=invocation.as_json)
        if invocation.as_json:
            raise click.UsageError("no command given")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; prints every error, raises none."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    invocation = Invocation(as_json="--json" in given)
    invocation.document = blank(_command(given))
    _log_to_stderr(_level(given))
    error, code = _run(given, invocation)
    if invocation.as_json and not invocation.printed and not _asks_for_help(given):
        document = invocation.document
        if error is not None:
            document = {**document, "error": error}
        tell(json.dumps(document, default=str))
    flush()
    return code


class _Visible(logging.Formatter):
    """Writes out what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(asctime)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _command(given: list[str]) -> str | None:
    """Return the command's name; the value of a global option is none."""
    words = iter(given)
    for word in words:
        if word in ("--config", "--ledger", "--lang"):
            next(words, None)
        elif word in KEYS:
            return word
    return None


def _run(given: list[str], invocation: Invocation) -> tuple[dict[str, str] | None, int]:
    try:
        result = cli.main(given, prog_name="bulkrunner", standalone_mode=False, obj=invocation)
    except click.exceptions.Abort:
        return _failed("interrupted", "stopped by the user", "", 6)
    except click.ClickException as error:
        return _failed("usage", error.format_message(), _usage_hint(error), 2)
    except BulkRunnerError as error:
        _say_problems(error)
        if isinstance(error, GateClosed) and "gates" in invocation.document:
            invocation.document["gates"] = [gate.as_dict() for gate in error.gates]
        said, advice = invocation.worded(error.said), invocation.worded(error.advice or "")
        return _failed(error.code, said, advice, error.exit_code)
    except OSError as error:
        if error.errno in _NO_ROOM:
            return _no_room(error)
        return _bug(error, verbose=_level(given) < logging.WARNING)
    except Exception as error:  # noqa: BLE001 — the one place where a bug becomes exit code 1
        return _bug(error, verbose=_level(given) < logging.WARNING)
    return None, result if isinstance(result, int) else 0


def _say_problems(error: BulkRunnerError) -> None:
    if isinstance(error, ManifestError) and len(error.problems) > 1:
        for problem in error.problems:
            tell(str(problem), err=True)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _no_room(error: OSError) -> tuple[dict[str, str], int]:
    """Say that a disk is full or cannot be written: no fault of the program."""
    what = f"{error.filename}" if error.filename else "a file"
    return _failed(
        "not_written",
        f"{what} cannot be written: {os.strerror(error.errno or 0)}",
        "make room on its disk, or write elsewhere",
        2,
    )


def _bug(error: Exception, *, verbose: bool) -> tuple[dict[str, str], int]:
    if verbose:
        tell(traceback.format_exc(), err=True)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return _failed(
        "internal_error",
        f"a fault of bulkrunner itself: {type(error).__name__} at {where}",
        "nothing is lost: the ledger knows what was sent. Run again with -v for the trace "
        "and report it",
        1,
    )


def _failed(code: str, message: str, hint: str, exit_code: int) -> tuple[dict[str, str], int]:
    tell(f"error: {message}", err=True)
    if hint:
        tell(f"hint:  {hint}", err=True)
    return {"code": code, "message": message, "hint": hint}, exit_code


def _usage_hint(error: click.ClickException) -> str:
    context: Any = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else "bulkrunner --help"


def _level(given: list[str]) -> int:
    count = sum(word.count("v") for word in given if word in ("-v", "-vv", "-vvv"))
    count += given.count("--verbose")
    return (logging.WARNING, logging.INFO, logging.DEBUG)[min(count, 2)]


def _asks_for_help(given: list[str]) -> bool:
    return any(word in ("-h", "--help", "--version") for word in given)
