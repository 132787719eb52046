"""docs/reference/cli.md says what the program takes and answers, no more and no less."""

import json
import re

import click
import pytest

from bulkrunner.cli.main import cli
from bulkrunner.runner.results import KEYS
from tests.support.docs import fenced, in_code, page, sections, table_rows

TEXT = page("reference/cli.md")
COMMANDS = sections(TEXT, r"`bulkrunner ([a-z ]+)`")
OF_EVERY_COMMAND = sections(TEXT, r"(Options of every command)")["Options of every command"]
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def tree(group=cli, prefix=""):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from tree(command, f"{prefix}{name} ")


def names(command):
    found = set()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


def in_first_cells(text):
    options = set()
    for row in table_rows(text):
        for written in in_code(row[0]):
            options |= set(OPTION.findall(written))
    return options


GLOBAL = names(cli)
TREE = dict(tree())


def before_first_command():
    return OF_EVERY_COMMAND.split("\n## ")[0]


def test_every_command_has_its_part_and_no_other_has():
    assert set(COMMANDS) == set(TREE)


def test_the_global_options_are_listed():
    assert in_first_cells(before_first_command()) == GLOBAL | {"-h", "--help"}


@pytest.mark.parametrize("name", sorted(TREE))
def test_a_command_lists_its_own_options(name):
    assert in_first_cells(COMMANDS[name]) == names(TREE[name]) - GLOBAL


@pytest.mark.parametrize("name", sorted(TREE))
def test_every_command_and_option_explains_itself(name):
    command = TREE[name]
    assert command.get_short_help_str()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("name", sorted(TREE))
def test_choices_are_listed(name):
    for parameter in TREE[name].params:
        if isinstance(parameter.type, click.Choice):
            place = before_first_command() if set(parameter.opts) <= GLOBAL else COMMANDS[name]
            assert r"\|".join(parameter.type.choices) in place


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_key_of_the_document_is_listed(name):
    written = set(in_code(COMMANDS[name]))
    assert set(KEYS[name]) <= written


def test_pages_name_known_commands_and_options_only():
    options = GLOBAL.union(*(names(command) for command in TREE.values())) | {"-h", "--help", "-vv"}
    for line in re.findall(r"`(bulkrunner [^`]*)`|^\$ (bulkrunner .*)$", TEXT, flags=re.MULTILINE):
        command = "".join(line)
        assert set(OPTION.findall(command)) <= options, command
        first = command.split()[1]
        assert first in TREE or first.startswith("-"), command


def test_json_examples_are_json():
    for block in fenced(TEXT, "json"):
        json.loads(block)
