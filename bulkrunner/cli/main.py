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
from itertools import pairwise
from typing import Any

import click

from bulkrunner.cli.console import SPOKEN, flush, tell
from bulkrunner.cli.options import Invocation, global_options, usage_said
from bulkrunner.domain.text import visible
from bulkrunner.errors import BulkRunnerError, ManifestError, UsageError, why_of
from bulkrunner.runner.results import KEYS, blank
from bulkrunner.sentences import LANGUAGES, Sentence

log = logging.getLogger("bulkrunner")

# Command → module of ``bulkrunner.cli.commands``; imported only when needed.
COMMANDS = {
    "advance": "jobs",
    "approve": "answering",
    "check": "jobs",
    "clients": "reporting",
    "completion": "completion",
    "demo": "sandbox",
    "doctor": "reporting",
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
    "standing": "standing_yeses",
    "status": "reporting",
    "stop": "running",
    "submit": "workers",
    "undo": "running",
    "verify": "running",
    "worker": "workers",
}


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
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0].lower(), COMMANDS, n=1)
            if not near:
                raise
            said = Sentence("usage_no_command_near", name=args[0], near=near[0])
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
            raise click.UsageError(Sentence("no_command"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; prints every error, raises none."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    invocation = Invocation(as_json="--json" in given, language=_language(given))
    SPOKEN.set(invocation.language or "en")
    invocation.document = blank(_command(given))
    _log_to_stderr(_level(given))
    error, code = _logged(given, invocation)
    if invocation.as_json and not invocation.printed and not _asks_for_help(given):
        document = invocation.document
        if error is not None:
            document = {**document, "error": error}
        tell(json.dumps(document, default=str))
    flush()
    return code


def _logged(given: list[str], invocation: Invocation) -> tuple[dict[str, str] | None, int]:
    """Run the command, with what it does in the file of ``--log``."""
    from bulkrunner.cli.log_file import logging_to

    try:
        with logging_to(_value(given, "--log"), _level(given), os.environ):
            log.info("begins", extra={"action": "command_begins", "arguments": given})
            error, code = _run(given, invocation)
            ended = {"action": "command_ends", "exit_code": code, "error": error}
            log.info("ends", extra=ended)
            return error, code
    except UsageError as error:
        return _failed(invocation, error.code, error.said, error.advice or "", error.exit_code)


class _Visible(logging.Formatter):
    """Writes out what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(asctime)s %(name)s: %(message)s"))
    handler.setLevel(level)
    logging.basicConfig(level=level, handlers=[handler])


def _command(given: list[str]) -> str | None:
    """Return the command's name; the value of a global option is none."""
    words = iter(given)
    for word in words:
        if word in ("--config", "--ledger", "--lang", "--log"):
            next(words, None)
        elif word in KEYS:
            return word
    return None


def _run(given: list[str], invocation: Invocation) -> tuple[dict[str, str] | None, int]:
    try:
        result = cli.main(given, prog_name="bulkrunner", standalone_mode=False, obj=invocation)
    except click.exceptions.Abort:
        return _failed(invocation, "interrupted", Sentence("stopped_by_user"), "", 6)
    except click.ClickException as error:
        return _failed(invocation, "usage", usage_said(error), _usage_hint(error), 2)
    except BulkRunnerError as error:
        _say_problems(invocation, error)
        return _failed(invocation, error.code, error.said, error.advice or "", error.exit_code)
    except OSError as error:
        if error.errno in _NO_ROOM:
            return _no_room(invocation, error)
        return _bug(invocation, error, verbose=_level(given) < logging.WARNING)
    except Exception as error:  # noqa: BLE001 — the one place where a bug becomes exit code 1
        return _bug(invocation, error, verbose=_level(given) < logging.WARNING)
    return None, result if isinstance(result, int) else 0


def _say_problems(invocation: Invocation, error: BulkRunnerError) -> None:
    if isinstance(error, ManifestError) and len(error.problems) > 1:
        for problem in error.problems:
            invocation.say(problem.whole, err=True)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _no_room(invocation: Invocation, error: OSError) -> tuple[dict[str, str], int]:
    """Say that a disk is full or cannot be written: no fault of the program."""
    what = f"{error.filename}" if error.filename else Sentence("a_file")
    return _failed(
        invocation,
        "not_written",
        Sentence("file_cannot_be_written", what=what, why=why_of(error)),
        Sentence("make_room"),
        2,
    )


def _bug(invocation: Invocation, error: Exception, *, verbose: bool) -> tuple[dict[str, str], int]:
    if verbose:
        tell(traceback.format_exc(), err=True)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return _failed(
        invocation,
        "internal_error",
        Sentence("internal_error", error=type(error).__name__, where=where),
        Sentence("internal_error_hint"),
        1,
    )


def _failed(
    invocation: Invocation, code: str, message: Sentence, hint: Sentence | str, exit_code: int
) -> tuple[dict[str, str], int]:
    """Print what went wrong, and return it in English for the document."""
    invocation.say(Sentence("error", message=message), err=True)
    if hint:
        invocation.say(Sentence("hint", hint=hint), err=True)
    return {"code": code, "message": str(message), "hint": str(hint)}, exit_code


def _usage_hint(error: click.ClickException) -> str:
    context: Any = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else "bulkrunner --help"


def _language(given: list[str]) -> str | None:
    """Return the language that is asked for, wherever it stands in the command."""
    named = _value(given, "--lang") or os.environ.get("BULKRUNNER_LANG")
    return named if named in LANGUAGES else None


def _value(given: list[str], option: str) -> str | None:
    """Return the value of a global option, the last one that is given."""
    found = None
    for word, following in pairwise([*given, ""]):
        if word == option:
            found = following
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found or None


def _level(given: list[str]) -> int:
    count = sum(word.count("v") for word in given if word in ("-v", "-vv", "-vvv"))
    count += given.count("--verbose")
    return (logging.WARNING, logging.INFO, logging.DEBUG)[min(count, 2)]


def _asks_for_help(given: list[str]) -> bool:
    return any(word in ("-h", "--help", "--version") for word in given)
