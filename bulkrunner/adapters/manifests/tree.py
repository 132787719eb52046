"""A manifest as plain data with the place of every value; read from YAML that everybody reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any, TypeAlias

import yaml

from bulkrunner.adapters.manifests.problems import FORBIDDEN, PathKey, Problems, Stop, shown
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

MAX_DEPTH = 64

# Characters that aliases may add to a manifest.
ALIAS_BUDGET = 16_000_000

_COLUMN_BITS = 24


def position(line: int, column: int) -> int:
    """Pack a place, counted from 0, into one number; a manifest has very many of them."""
    return line << _COLUMN_BITS | column


@dataclass(slots=True)
class Marks:
    """Places of a list's or an object's parts; ``keys`` is empty for a list."""

    at: int
    parts: dict[PathKey, Mark] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)


Mark: TypeAlias = int | Marks


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Plain data and its places."""

    file: str
    data: Any
    marks: Mark

    def source(self, path: Sequence[PathKey] = (), *, key: str | None = None) -> Source:
        """Return the place of the value at the path, or of a key of the object there."""
        mark = self.marks
        for part in path:
            if not isinstance(mark, Marks) or part not in mark.parts:
                break
            mark = mark.parts[part]
        at = mark.at if isinstance(mark, Marks) else mark
        if key is not None and isinstance(mark, Marks):
            at = mark.keys.get(key, at)
        return source_at(self.file, at)


def source_at(file: str, at: int) -> Source:
    """Return a packed place as people count: from 1."""
    return Source(
        file=file, line=(at >> _COLUMN_BITS) + 1, column=(at & ((1 << _COLUMN_BITS) - 1)) + 1
    )


@dataclass(slots=True)
class _Built:
    """A finished value; weight and depth are what an alias to it would add."""

    value: Any
    mark: Mark
    weight: int
    depth: int


@dataclass(slots=True)
class _Open:
    """A list or object that is being built."""

    value: Any
    marks: Marks
    anchor: str | None
    key: str | None = None
    key_at: int = 0
    dropped: bool = False
    weight: int = 2
    depth: int = 0

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None


class Builder:
    """Builds a tree from the events of a YAML or JSON text."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Built | None] = {}
        self._spent = 0
        self._root: _Built | None = None

    @property
    def awaits_key(self) -> bool:
        """Whether the next scalar is a key."""
        return bool(self._stack) and self._stack[-1].awaits_key

    @property
    def path(self) -> list[PathKey]:
        """Where the next value will stand."""
        return [
            len(one.value) if isinstance(one.value, list) else one.key or "" for one in self._stack
        ]

    def key(self, text: str, at: int) -> None:
        """Take a key of the innermost object."""
        top = self._stack[-1]
        text = intern(self._checked(text, at))
        top.key, top.key_at, top.dropped = text, at, text in top.value
        top.weight += len(text) + 4
        if top.dropped:
            first = source_at(self._file, top.marks.keys[text])
            self.problem(
                at,
                "duplicate_key",
                Sentence("key_twice", name=shown(text), line=first.line),
            )

    def scalar(self, value: Any, at: int, anchor: str | None = None) -> None:
        """Take a text, number, truth value or null."""
        if isinstance(value, str):
            value = self._checked(value, at)
        weight = len(value) + 4 if isinstance(value, str) else 8
        built = _Built(value, at, weight, 0)
        if anchor is not None:
            self._anchors[anchor] = built
        self._attach(built)

    def begin(self, value: dict[str, Any] | list[Any], at: int, anchor: str | None = None) -> None:
        """Open a list or an object."""
        if self.awaits_key:
            raise self.stop(at, "bad_key", Sentence("key_not_plain"))
        if anchor is not None:
            self._anchors[anchor] = None
        self._stack.append(_Open(value, Marks(at), anchor))
        self._check_depth(at, 0)

    def end(self) -> None:
        """Close the innermost list or object."""
        done = self._stack.pop()
        built = _Built(done.value, done.marks, done.weight, done.depth)
        if done.anchor is not None:
            self._anchors[done.anchor] = built
        self._attach(built)

    def alias(self, name: str, at: int) -> None:
        """Take the value of an anchor once more."""
        if name not in self._anchors:
            raise self.stop(
                at, "bad_alias", Sentence("alias_without_anchor", alias=shown("*" + name))
            )
        built = self._anchors[name]
        if built is None:
            raise self.stop(
                at,
                "bad_alias",
                Sentence("alias_inside_itself", alias=shown("*" + name)),
            )
        if self.awaits_key:
            raise self.stop(at, "bad_key", Sentence("key_alias"))
        self._spent += built.weight
        if self._spent > ALIAS_BUDGET:
            raise self.stop(
                at,
                "alias_bomb",
                Sentence("alias_bomb", most=ALIAS_BUDGET),
                Sentence("alias_bomb_hint"),
            )
        self._check_depth(at, built.depth)
        self._attach(built)

    def tree(self) -> Tree | None:
        """Return what was built; None where the text holds no value."""
        if self._root is None:
            return None
        return Tree(file=self._file, data=self._root.value, marks=self._root.mark)

    def problem(self, at: int, code: str, message: Sentence, hint: str = "") -> None:
        """Note a fault at a place."""
        self._problems.add(source_at(self._file, at), code, message, hint)

    def stop(self, at: int, code: str, message: Sentence, hint: str = "") -> Stop:
        """Note a fault after which the text cannot be read on."""
        return self._problems.stop(source_at(self._file, at), code, message, hint)

    def _check_depth(self, at: int, deeper: int) -> None:
        if len(self._stack) + deeper > MAX_DEPTH:
            raise self.stop(at, "too_deep", Sentence("too_deep", most=MAX_DEPTH))

    def _checked(self, text: str, at: int) -> str:
        """Return the text as nothing further on stumbles over it."""
        if found := FORBIDDEN.search(text):
            self.problem(at, "control_character", control_message(found[0]))
            return FORBIDDEN.sub("\ufffd", text)
        return text

    def _attach(self, built: _Built) -> None:
        if not self._stack:
            self._root = built
            return
        top = self._stack[-1]
        top.weight += built.weight
        top.depth = max(top.depth, built.depth + 1)
        if isinstance(top.value, list):
            top.marks.parts[len(top.value)] = built.mark
            top.value.append(built.value)
        elif top.key is not None:
            if not top.dropped:
                top.value[top.key] = built.value
                top.marks.parts[top.key] = built.mark
                top.marks.keys[top.key] = top.key_at
            top.key = None


def control_message(letter: str) -> Sentence:
    """Return what is wrong with a character that no text may hold."""
    if "\ud800" <= letter <= "\udfff":
        return Sentence("half_character", letter=f"{ord(letter):04X}")
    return Sentence("control_character", letter=f"{ord(letter):04X}")


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>\.[0-9]+)?(?P<power>[eE][-+]?[0-9]+)?")

WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

_LARGEST = 2**63 - 1


def plain(text: str) -> Any:
    """Return the meaning of an unquoted YAML scalar.

    ``NO``, ``yes``, ``0123``, ``1_000`` and dates are text.

    Raises:
        Fault: a number beyond 64 bits.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] in "-0123456789" and _NUMBER.fullmatch(text):
        return number(text)
    return text


# Keys of a manifest below which values may reach records.
_CONTENT = frozenset({"operations", "steps", "parameters"})

_SETTINGS = frozenset({"seconds", "megabytes"})

# Keys below which null means that nothing is there.
_ASKED = frozenset({"expect", "where", "when", "components", "matching", "table"})


def read_otherwise(text: str, value: Any, path: Sequence[Any]) -> Sentence | None:
    """Return how an unquoted word is read, where it would not be written as it stands; else nothing.

    Args:
        text: as it stands in the manifest.
        value: what it was read as.
        path: where it stands.
    """
    if not path or path[0] not in _CONTENT or path[-1] in _SETTINGS:
        return None
    if value is None and text == "~":
        absent = not isinstance(path[-1], int) and not _ASKED.isdisjoint(path)
        return None if absent else Sentence("unquoted_null", text=shown(text))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        written = json.dumps(value)
        if written != text:
            return Sentence("unquoted_number", text=shown(text), written=written)
    return None


def number(text: str) -> int | float:
    """Return a JSON number; Fault: beyond 64 bits."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise Fault(Sentence("no_number", text=text[:30]), code="bad_number")
    if found["real"] is None and found["power"] is None:
        whole = int(text) if len(text) <= 20 else _LARGEST + 1
        if not -_LARGEST - 1 <= whole <= _LARGEST:
            short = f"{text[:30]}…" if len(text) > 30 else text
            raise Fault(Sentence("number_too_large", text=short), code="bad_number")
        return whole
    real = float(text)
    if real in (float("inf"), float("-inf")):
        raise Fault(Sentence("number_too_large", text=text[:30]), code="bad_number")
    return real


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
