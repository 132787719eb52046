"""Options of every command, its one JSON document, and what is wrong with a command line."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bulkrunner import __version__
from bulkrunner.cli.console import STYLES, ConsoleProgress, stoppable, tell
from bulkrunner.runner.results import blank
from bulkrunner.sentences import LANGUAGES, Sentence, verbatim

if TYPE_CHECKING:
    from bulkrunner.runner import Runner

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Invocation:
    """What one call of the program was asked, and the document it answers with.

    Attributes:
        document: the ``--json`` document so far; printed whole at the end, also on errors.
    """

    config: Path | None = None
    ledger: str | None = None
    as_json: bool = False
    verbose: int = 0
    language: str | None = None
    document: dict[str, Any] = field(default_factory=dict)
    # Whether the command has already printed its document itself.
    printed: bool = False

    def runner(self) -> Runner:
        """Return what does the work of a command, and tells of it here."""
        from bulkrunner.runner import Runner

        return Runner(self.config, self.ledger, telling=self)

    @property
    def stopped_by(self) -> Sentence:
        """Why a run ends that ``stoppable`` stops."""
        return Sentence("stopped_by_signal")

    def begin(self, command: str) -> None:
        """Begin the document of a command."""
        self.document = blank(command)

    def part(self, command: str) -> Invocation:
        """Return what a command is told to that is a step of this one."""
        return replace(self, document=blank(command), printed=False)

    def progress(self) -> ConsoleProgress:
        """Return what shows how far a step is, on stderr."""
        return ConsoleProgress(self.worded)

    def stoppable(
        self, stop: Callable[[], None], last_words: Callable[[], str]
    ) -> AbstractContextManager[None]:
        """Let SIGINT and SIGTERM stop the block."""
        return stoppable(stop, last_words, self.worded)

    def merge(self, given: dict[str, Any]) -> None:
        """Take what was given after the command; it wins over what stood before it."""
        self.config = given["config"] or self.config
        self.ledger = given["ledger"] or self.ledger
        self.as_json = given["as_json"] or self.as_json
        self.verbose = max(given["verbose"], self.verbose)
        self.language = given["language"] or self.language

    def last_words(self, **known: Any) -> str:
        """Return what stdout is left with when the process ends at once, on a second signal.

        Nothing is asked of anybody: what is not known stays null.
        """
        if not self.as_json:
            return ""
        error = {
            "code": "interrupted",
            "message": Sentence("stopped_at_once"),
            "hint": Sentence("stopped_at_once_hint"),
        }
        return json.dumps({**self.document, **known, "error": error}, default=str) + "\n"

    def say(
        self, text: Sentence | str = "", *, err: bool = False, indent: int = 0, most: int = 0
    ) -> None:
        """Print for people: to stdout, but to stderr with ``--json``; ``most`` characters on a line."""
        told = self.worded(text)
        if most:
            told = " ".join(told.split())[:most]
        style = STYLES.get(text.key, "") if isinstance(text, Sentence) else ""
        tell(" " * indent + told, err=err or self.as_json, style=style)

    def worded(self, text: Sentence | str) -> str:
        """Return a sentence in the language of the command line."""
        return text.worded(self.language or "en") if isinstance(text, Sentence) else text


_GLOBAL = (
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Configuration file (default ./bulkrunner.toml).",
    ),
    click.option("--ledger", metavar="URL", help="Ledger, e.g. sqlite:///bulkrunner.db."),
    click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
    click.option(
        "--lang",
        "language",
        type=click.Choice(LANGUAGES),
        envvar="BULKRUNNER_LANG",
        help="Language of what is said (default en; of reports sv).",
    ),
    click.option(
        "--log",
        "log_file",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        expose_value=False,
        help="Append what is done to this file, as JSON lines without secrets.",
    ),
    click.option("-v", "--verbose", count=True, help="Say more; -vv says everything."),
    click.version_option(__version__, prog_name="bulkrunner"),
)


def global_options(command: F) -> F:
    """Add the global options; the command gets an ``Invocation`` as its first argument."""

    @click.pass_context
    @functools.wraps(command)
    def wrapped(context: click.Context, /, **given: Any) -> Any:
        invocation = context.find_object(Invocation) or Invocation()
        context.obj = invocation
        names = ("config", "ledger", "as_json", "verbose", "language")
        invocation.merge({name: given.pop(name) for name in names})
        return command(invocation, **given)

    for option in reversed(_GLOBAL):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


parameter_option = click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a parameter of the manifest; repeatable.",
)

input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="FILE=PATH",
    help="Read this file in place of one that the manifest names; repeatable.",
)


def given_parameters(words: Sequence[str]) -> dict[str, str]:
    """Return values by name. click.UsageError: a word without ``=``, or a name twice."""
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.UsageError(Sentence("param_form", word=repr(word[:60])))
        if name in given:
            raise click.UsageError(Sentence("param_twice", name=repr(name[:60])))
        given[name] = value
    return given


def given_inputs(words: Sequence[str]) -> dict[str, Path]:
    """Return files by the names that they stand for. click.UsageError: as ``given_parameters``."""
    given: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise click.UsageError(Sentence("input_form", word=repr(word[:60])))
        if name in given:
            raise click.UsageError(Sentence("input_twice", name=repr(name[:60])))
        given[name] = Path(path).absolute()
    return given


# Click tells what is wrong with a value in its own English words and in nothing else.
_VALUES: Mapping[str, Callable[[re.Match[str]], Sentence]] = {
    r"(.+) is not a valid integer\.": lambda found: Sentence("usage_no_integer", value=found[1]),
    r"(.+) is not a valid integer range\.": lambda found: Sentence(
        "usage_no_integer_range", value=found[1]
    ),
    r"(.+) is not a valid float range\.": lambda found: Sentence(
        "usage_no_number_range", value=found[1]
    ),
    r"(.+) is not a valid float\.": lambda found: Sentence("usage_no_number", value=found[1]),
    r"(.+) is not in the range (.+)\.": lambda found: Sentence(
        "usage_not_in_range", value=found[1], range=found[2]
    ),
    r"(.+) is not one of (.+)\.": lambda found: Sentence(
        "usage_not_one_of", value=found[1], known=found[2]
    ),
    r"(.+) does not match the format(s?) (.+)\.": lambda found: Sentence(
        "usage_not_in_form", value=found[1], form=found[3]
    ),
    r"(?:File|Path|Directory) (.+) does not exist\.": lambda found: Sentence(
        "usage_path_missing", path=found[1]
    ),
    r"File (.+) is a directory\.": lambda found: Sentence("usage_is_folder", path=found[1]),
    r"Directory (.+) is a file\.": lambda found: Sentence("usage_is_file", path=found[1]),
    r"(?:File|Path|Directory) (.+) is not readable\.": lambda found: Sentence(
        "usage_not_readable", path=found[1]
    ),
}

_MESSAGES: Mapping[str, Callable[[re.Match[str]], Sentence]] = {
    r"No such command (.+)\.": lambda found: Sentence("usage_no_command", name=found[1]),
    r"No such option (\S+)\.": lambda found: Sentence("usage_no_option", name=found[1]),
    r"No such option (\S+)\. Did you mean (.+)\?": lambda found: Sentence(
        "usage_no_option_near", name=found[1], near=found[2]
    ),
    r"No such option (\S+)\. \(Did you mean one of: (.+)\?\)": lambda found: Sentence(
        "usage_no_option_several", name=found[1], near=found[2]
    ),
    r"Missing argument (.+)\.": lambda found: Sentence("usage_argument_missing", name=found[1]),
    r"Missing option (.+)\.": lambda found: Sentence("usage_option_missing", name=found[1]),
    r"Missing option (.+)\. Choose from:\s+(.+)": lambda found: Sentence(
        "usage_option_missing_choice", name=found[1], known=found[2].split(",\n\t")
    ),
    r"Missing command\.": lambda _found: Sentence("usage_command_missing"),
    r"Option (.+) requires an argument\.": lambda found: Sentence(
        "usage_option_needs_value", name=found[1]
    ),
    r"Option (.+) does not take a value\.": lambda found: Sentence(
        "usage_option_takes_none", name=found[1]
    ),
    r"Got unexpected extra argument \((.+)\)": lambda found: Sentence(
        "usage_argument_extra", given=found[1]
    ),
    r"Got unexpected extra arguments \((.+)\)": lambda found: Sentence(
        "usage_arguments_extra", given=found[1]
    ),
    r"Invalid value for (.+?): (.+)": lambda found: Sentence(
        "usage_value", name=found[1], said=_known(found[2], _VALUES)
    ),
}


def usage_said(error: click.ClickException) -> Sentence:
    """Return what is wrong; words that are not known stay click's own."""
    message = error.format_message()
    return message if isinstance(message, Sentence) else _known(message, _MESSAGES)


def _known(text: str, known: Mapping[str, Callable[[re.Match[str]], Sentence]]) -> Sentence:
    for pattern, said in known.items():
        found = re.fullmatch(pattern, text, re.DOTALL)
        # What is said in English is never anything else than what click says.
        if found and (sentence := said(found)) == text:
            return sentence
    return verbatim(text)
