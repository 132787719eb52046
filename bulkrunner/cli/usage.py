"""What click finds wrong with a command line, as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import click

from bulkrunner.sentences import Sentence, verbatim

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
