"""Reads YAML text: the subset that means the same to everybody, with places."""

from __future__ import annotations

from typing import Any

import yaml

from bulkrunner.adapters.manifests.problems import Problems, Stop, shown
from bulkrunner.adapters.manifests.tree import Builder, Tree, plain, position, read_otherwise
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

_STANDARD_TAGS = "tag:yaml.org,2002:"
_SIGNS = "`[`, `]`, `{`, `}` or `,`"
_QUOTE_HINT = Sentence("yaml_quote_to_keep")
_PLAIN_WORDS = {
    "mapping values are not allowed in this context": (Sentence("yaml_stray_colon")),
    "could not find expected ':'": Sentence("yaml_key_without_colon"),
    "found unexpected end of stream": Sentence("yaml_quotes_open"),
    "found duplicate anchor": Sentence("yaml_anchor_twice"),
    "did not find expected '-' indicator": (Sentence("yaml_between_items")),
    "did not find expected key": (Sentence("yaml_key_expected")),
    "did not find expected ',' or '}'": (
        Sentence("yaml_not_closed", one="{", other="}", signs=_SIGNS)
    ),
    "did not find expected ',' or ']'": (
        Sentence("yaml_not_closed", one="[", other="]", signs=_SIGNS)
    ),
    "block sequence entries are not allowed in this context": (Sentence("yaml_stray_dash")),
    "did not find expected <document start>": (Sentence("yaml_stray_line")),
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
        raise builder.stop(0, "not_yaml", Sentence("not_yaml", reason=reason)) from None
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
            except Fault as error:
                self._builder.problem(_at(event), "bad_number", error.said, _QUOTE_HINT)
            if read := read_otherwise(event.value, value, self._builder.path):
                self._builder.problem(_at(event), "unquoted", read, Sentence("yaml_quote_it"))
        self._builder.scalar(value, _at(event), event.anchor)

    def _key(self, event: yaml.ScalarEvent, *, unquoted: bool) -> None:
        if unquoted and event.value == "<<":
            raise self._builder.stop(
                _at(event), "merge_key", Sentence("yaml_merge_key"), Sentence("yaml_merge_key_hint")
            )
        self._builder.key(event.value, _at(event))

    def _tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag:
            self._builder.problem(
                _at(event),
                "tag",
                Sentence("yaml_tag", tag=shown(event.tag.replace(_STANDARD_TAGS, "!!"))),
                Sentence("yaml_tag_hint"),
            )

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._builder.stop(
                _at(event),
                "several_documents",
                Sentence("yaml_documents"),
                Sentence("yaml_documents_hint"),
            )


def _at(event: yaml.Event) -> int:
    mark = event.start_mark
    return position(mark.line, mark.column) if mark else 0


def _not_yaml(error: yaml.MarkedYAMLError, text: str, builder: Builder) -> Stop:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    reason = str(error.problem or error.context)
    hint: Sentence | None = None
    message = Sentence("not_yaml", reason=_PLAIN_WORDS.get(reason, reason))
    if reason == "found character that cannot start any token":
        letter = _letter(text, line, column)
        if letter == "\t":
            message, hint = Sentence("yaml_tab"), Sentence("yaml_indent")
        else:
            message, hint = (
                Sentence("yaml_bad_start", letter=shown(letter)),
                Sentence("yaml_quote_text"),
            )
    began = error.context_mark
    if not hint and began is not None and began.line != line and reason in _PLAIN_WORDS:
        hint = Sentence("yaml_belongs_to", line=began.line + 1)
    return builder.stop(position(line, column), "not_yaml", message, hint or "")


def _letter(text: str, line: int, column: int) -> str:
    for number, found in enumerate(text.split("\n", line + 1)):
        if number == line:
            return found[column : column + 1]
    return ""
