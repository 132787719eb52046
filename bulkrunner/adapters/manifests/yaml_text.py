"""Reads YAML text: the subset that means the same to everybody, with places."""

from __future__ import annotations

from typing import Any

import yaml

from bulkrunner.adapters.manifests.faults import Problems, Stop, harmless, shown
from bulkrunner.adapters.manifests.source import (
    BadNumber,
    Builder,
    Tree,
    plain,
    position,
    read_otherwise,
)
from bulkrunner.sentences import Sentence

_STANDARD_TAGS = "tag:yaml.org,2002:"
_QUOTE_HINT = "put the text in quotes to keep it as it is"
_PLAIN_WORDS = {
    "mapping values are not allowed in this context": (
        "a colon stands where none can be: a text with `: ` inside needs quotes, or a line is indented wrongly"
    ),
    "could not find expected ':'": "a key without its colon, or a line that is indented wrongly",
    "found unexpected end of stream": "the text ends inside quotes",
    "found duplicate anchor": "an anchor is given twice",
    "did not find expected '-' indicator": (
        "a line stands between the items of a list: what belongs to an item is indented further than its dash"
    ),
    "did not find expected key": (
        "a key is expected here: a line is indented wrongly, or a text needs quotes"
    ),
    "did not find expected ',' or '}'": (
        "a `{` without its `}`, or a comma is missing, or a text with `[`, `]`, `{`, `}` or `,` needs quotes"
    ),
    "did not find expected ',' or ']'": (
        "a `[` without its `]`, or a comma is missing, or a text with `[`, `]`, `{`, `}` or `,` needs quotes"
    ),
    "block sequence entries are not allowed in this context": (
        "a dash where no list item can be: the key above it must end with its colon"
    ),
    "did not find expected <document start>": (
        "a line that belongs to nothing: it is indented wrongly, or its colon is missing"
    ),
}


def read_yaml(text: str, file: str, problems: Problems) -> Tree | None:
    """Return the tree of a YAML text; None where it holds no value.

    Raises:
        Stop: it cannot be read; the reason is among the problems.
    """
    builder = Builder(file, problems)
    reader = _Reader(builder)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, builder) from None
    except yaml.YAMLError as error:
        reason = harmless(str(error).splitlines()[0][:200])
        raise builder.stop(0, "not_yaml", Sentence("yaml_yaml", reason=reason)) from None
    return builder.tree()


class _Reader:
    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Pass one event on."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._builder.alias(event.anchor or "", _at(event))
            case yaml.MappingStartEvent():
                self._tag(event)
                self._builder.begin({}, _at(event), event.anchor)
            case yaml.SequenceStartEvent():
                self._tag(event)
                self._builder.begin([], _at(event), event.anchor)
            case yaml.CollectionEndEvent():
                self._builder.end()
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._tag(event)
        unquoted = event.implicit[0] and not event.tag
        if self._builder.awaits_key:
            self._key(event, unquoted=unquoted)
            return
        value: Any = event.value
        if unquoted:
            try:
                value = plain(event.value)
            except BadNumber as error:
                self._builder.problem(_at(event), "bad_number", str(error), _QUOTE_HINT)
            if read := read_otherwise(event.value, value, self._builder.path):
                message = f"{shown(event.value)} {read}"
                self._builder.problem(_at(event), "unquoted", message, Sentence("yaml_put_quotes"))
        self._builder.scalar(value, _at(event), event.anchor)

    def _key(self, event: yaml.ScalarEvent, *, unquoted: bool) -> None:
        if unquoted and event.value == "<<":
            raise self._builder.stop(
                _at(event), "merge_key", Sentence("yaml_merge_keys_used_here"), Sentence("yaml_write_keys_out")
            )
        self._builder.key(event.value, _at(event))

    def _tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag:
            self._builder.problem(
                _at(event),
                "tag",
                Sentence("yaml_tags_such_used_here", standard_tags=shown(event.tag.replace(_STANDARD_TAGS, '!!'))),
                Sentence("yaml_leave_out_quotes_make"),
            )

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._builder.stop(
                _at(event),
                "several_documents",
                Sentence("yaml_second_document_begins_here"),
                Sentence("yaml_one_manifest_one_document"),
            )


def _at(event: yaml.Event) -> int:
    mark = event.start_mark
    return position(mark.line, mark.column) if mark else 0


def _not_yaml(error: yaml.MarkedYAMLError, text: str, builder: Builder) -> Stop:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    reason = str(error.problem or error.context)
    message, hint = f"this is not YAML: {_PLAIN_WORDS.get(reason, reason)}", ""
    if reason == "found character that cannot start any token":
        letter = _letter(text, line, column)
        if letter == "\t":
            message, hint = "a tab stands in the indentation", "indent with blanks"
        else:
            message, hint = f"a value cannot begin with {shown(letter)}", "put the text in quotes"
    began = error.context_mark
    if not hint and began is not None and began.line != line and reason in _PLAIN_WORDS:
        hint = f"it belongs to what begins in line {began.line + 1}"
    return builder.stop(position(line, column), "not_yaml", message, hint)


def _letter(text: str, line: int, column: int) -> str:
    for number, found in enumerate(text.split("\n", line + 1)):
        if number == line:
            return found[column : column + 1]
    return ""
