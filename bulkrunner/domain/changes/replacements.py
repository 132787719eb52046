"""Verbs that give every value at a place another: by a table, or in the texts themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias

from bulkrunner.domain.canonical import digest, same
from bulkrunner.domain.changes.change import (
    Change,
    demand_kept_at,
    read_at,
    read_value,
)
from bulkrunner.domain.changes.edits import Edit, EditSet, Put, Take, put
from bulkrunner.domain.changes.scopes import Here, Scope, leaves
from bulkrunner.domain.expressions import Outside, Pattern, brief
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.text_functions import MAX_RESULT
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import (
    Dynamic,
    joined_text,
    localised,
    portable,
    resolve,
    text_pieces,
    written,
)
from bulkrunner.domain.expressions.wording import name_said, place_said, value_said
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT, Path, Place, parse_place, value_of
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import (
    Storage,
    comparable,
    composed,
    in_words,
    is_same_text,
    stored_text,
    undone,
)
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MAX_TABLE = 1_000_000
MAX_SHOWN = 20  # rows of a table that a plan keeps; of longer ones it keeps the digest
PAIRS_SAID = 3  # rows of a table in the manifest that are explained

# Keys of a table that stands in a file.
TABLE_FILE = frozenset({"file", "from", "to", "header", "separator", "encoding", "sheet", "hidden"})


@dataclass(frozen=True, kw_only=True)
class Table:
    """Old values and what each becomes; None takes the value away."""

    pairs: Mapping[str, Any]  # new values by old ones, as text
    by_name: Mapping[str, Any] = field(repr=False)  # by the old ones as the server stores them
    # The new values in comparable form, which are left alone when met again.
    results: frozenset[bytes] = field(repr=False)
    digest: str  # of all pairs

    @classmethod
    def parse(cls, data: Any, outside: Outside) -> Self:
        """Read a table, or the file that it stands in; Fault where it is malformed."""
        if not isinstance(data, dict) or not data:
            raise Fault(Sentence("table_form", form="{file: name}"))
        pairs: Mapping[str, Any] = data
        if isinstance(data.get("file"), str) and data.keys() <= TABLE_FILE:
            pairs = outside.lists.table(data)
        if len(pairs) > MAX_TABLE:
            raise Fault(Sentence("table_long", most=MAX_TABLE))
        for old, new in pairs.items():
            if isinstance(parse_value(new), Dynamic):
                raise Fault(Sentence("table_constants"), key=old)
        return cls(
            pairs=dict(pairs),
            by_name=_by_name(pairs),
            results=frozenset(comparable(new) for new in pairs.values() if new is not None),
            digest=digest(dict(pairs)),
        )

    def data(self, at: str, iris: IriMap | None) -> dict[str, Any]:
        """Return it as it is written; of a long one the digest."""
        if len(self.pairs) > MAX_SHOWN:
            return {"digest": self.digest}
        return {portable(at, old, iris): portable(at, new, iris) for old, new in self.pairs.items()}


def _by_name(pairs: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for old, new in pairs.items():
        name = stored_text(old)
        if name in found and comparable(found[name]) != comparable(new):
            raise Fault(
                Sentence("table_twice", old=brief(old)),
                key=old,
            )
        found[name] = new
    return found


@dataclass(frozen=True, kw_only=True)
class ReplaceValueChange(Change):
    """``replace_value``: every value at the place becomes what the table says."""

    verb = "replace_value"

    table: Table
    refuse_others: bool = (
        False  # refuse a value that the table does not have, instead of keeping it
    )

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        otherwise = data.get("otherwise", "keep")
        if otherwise not in ("keep", "refuse"):
            raise Fault(Sentence("table_otherwise", given=brief(otherwise)), path=("otherwise",))
        try:
            table = Table.parse(data["table"], outside)
            for old, new in table.pairs.items():
                if new is not None:
                    demand_kept_at(str(data["at"]), new, key=old)
        except Fault as error:
            raise error.below("table") from None
        at = read_at(data, scope)
        return cls(at=at, table=table, refuse_others=otherwise == "refuse", scope=scope)

    def edits_in(self, here: Here, context: Context) -> EditSet:
        place = parse_place(self.at)
        return _rewritten(
            here, place, lambda value: self._new(value, place, context), context.storage
        )

    def _new(self, value: Any, place: Place, context: Context) -> Any:
        at_id = place.steps[-1] == "@id"
        names = list(_names(value, context, at_id=at_id))
        for name in names:
            if name in self.table.by_name:
                wanted = self.table.by_name[name]
                return ABSENT if wanted is None else localised(place, wanted, context)
        done = (value, *names) if at_id else (value,)
        if self.refuse_others and not any(comparable(one) in self.table.results for one in done):
            raise Refused(
                "not_in_table",
                Sentence("not_in_table", place=place.text),
                Sentence("not_in_table_hint"),
            )
        return value

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {
            "at": self.at,
            "table": self.table.data(self.at, iris),
            "otherwise": "refuse" if self.refuse_others else "keep",
        }

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_replace_value", at=self.at)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        at, table = place_said(given["at"]), given["table"]
        if "file" in table and isinstance(table.get("file"), str):
            said = Sentence("change_by_table", at=at, file=name_said(table["file"]))
        else:
            pairs = [_pair_said(old, new) for old, new in list(table.items())[:PAIRS_SAID]]
            if len(table) > PAIRS_SAID:
                pairs.append(Sentence("change_more_pairs", count=len(table) - PAIRS_SAID))
            said = Sentence("change_pairs", at=at, pairs=pairs)
        refuses = given.get("otherwise") == "refuse"
        return Sentence("change_others_refused" if refuses else "change_others_kept", said=said)


def _names(value: Any, context: Context, *, at_id: bool) -> Iterator[str]:
    """Yield how a table may name a value: a record's IRI in any environment, or by its short id."""
    match value:
        case str():
            yield stored_text(value)
            parts = context.iris.split(value) if at_id else None
            if parts:
                _, short, suffix = parts
                yield from (f"{base}{short}{suffix}" for base in context.iris.bases)
                yield short
        case bool() | int() | float():
            yield in_words(value)


def _pair_said(old: str, new: Any) -> Sentence:
    if new is None:
        return Sentence("change_goes", old=value_said(old))
    return Sentence("change_becomes", old=value_said(old), new=value_said(new))


# Pieces of what the matches of a pattern become; a number is a group.
Template: TypeAlias = tuple[str | int | Dynamic, ...]

_GROUP = re.compile(r"\\(.?)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class ReplaceTextChange(Change):
    """``replace_text``: in every text at the place something is replaced."""

    # Either ``find`` becomes ``into``, texts or values that lead to one; or what ``expression``
    # matches becomes ``template``.

    verb = "replace_text"
    values = ("template", "find", "into")

    find: Any = None
    expression: Pattern | None = None
    into: Any = ""
    template: Template = ()
    trim: bool = False  # blanks at both ends go, in texts that were changed

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        if ("find" in data) == ("pattern" in data):
            raise Fault(Sentence("find_or_pattern"))
        change = cls(at=read_at(data, scope), trim=data.get("trim", False), scope=scope)
        if "find" in data:
            find = read_value(data, "find")
            if not isinstance(find, Dynamic) and not (isinstance(find, str) and find):
                raise Fault(Sentence("find_no_text"), path=("find",))
            into = read_value(data, "with")
            if not isinstance(into, (str, Dynamic)):
                raise Fault(Sentence("with_no_text"), path=("with",))
            return replace(change, find=find, into=into)
        try:
            expression = outside.engine.compile(data["pattern"])
        except Fault as error:
            raise error.below("pattern") from None
        pieces = text_pieces(read_value(data, "with"))
        if pieces is None:
            raise Fault(Sentence("with_no_text"), path=("with",))
        template: list[str | int | Dynamic] = []
        for piece in pieces:
            template += _template(piece, expression.groups) if isinstance(piece, str) else [piece]
        return replace(change, expression=expression, template=tuple(template))

    def edits_in(self, here: Here, context: Context) -> EditSet:
        place = parse_place(self.at)
        find = _part(resolve(self.find, context))
        into = _part(resolve(self.into, context))
        template = [resolve(piece, context) for piece in self.template]
        if self.expression is None and not (
            isinstance(find, str) and find and isinstance(into, str)
        ):
            raise Refused(
                "not_text",
                Sentence("find_value_no_text", place=place.text),
                Sentence("find_value_no_text_hint"),
            )

        def new(value: Any) -> Any:
            if not isinstance(value, str):
                return value
            text = composed(value)
            made = self._replaced(text, find, into, template)
            if made is None or len(made) > MAX_RESULT:
                raise Refused(
                    "text_too_long",
                    Sentence("text_too_long", place=place.text),
                    Sentence("leave_out_by_condition"),
                )
            if made == text:
                return value
            return (made.strip() if self.trim else made) or ABSENT

        return _rewritten(here, place, new, context.storage)

    def _replaced(
        self, text: str, find: Any, into: Any, template: Sequence[str | int]
    ) -> str | None:
        if self.expression is not None:
            return self.expression.replaced(text, template)
        if len(text) + text.count(find) * (len(into) - len(find)) > MAX_RESULT:
            return None
        made: str = text.replace(find, into)
        return made

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        data: dict[str, Any] = {"at": self.at}
        if self.expression is not None:
            data |= {"pattern": self.expression.text, "with": _written_template(self.template)}
        else:
            data |= {"find": written(self.find), "with": written(self.into)}
        return data | ({"trim": True} if self.trim else {})

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_replace_text", at=self.at)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        at = place_said(given["at"])
        if "pattern" in given:
            what = Sentence("what_matches", pattern=value_said(given["pattern"]))
        else:
            what = value_said(given.get("find"))
        instead = given.get("with", "")
        if instead == "":
            said = Sentence("change_text_out", at=at, what=what)
        else:
            said = Sentence("change_text", at=at, what=what, instead=value_said(instead))
        return Sentence("change_trimmed", said=said) if given.get("trim") else said


def _part(value: Any) -> Any:
    """Return a part of a text: numbers and truth values as they are written."""
    return composed(in_words(value)) if isinstance(value, (str, int, float)) else value


def _template(text: str, groups: int) -> tuple[str | int, ...]:
    r"""Read the replacement of a pattern: ``\1`` is a group, ``\0`` all of it, ``\\`` a backslash."""
    pieces: list[str | int] = []
    at = 0
    for match in _GROUP.finditer(text):
        pieces.append(text[at : match.start()])
        letter = match[1]
        if letter == "\\":
            pieces.append("\\")
        elif not (letter.isascii() and letter.isdigit()):
            raise Fault(
                Sentence("replacement_unknown", found=brief(match[0])),
                path=("with",),
                hint=Sentence("replacement_unknown_hint"),
            )
        elif int(letter) > groups:
            raise Fault(
                Sentence("pattern_groups", count=groups, letter=letter),
                path=("with",),
                hint=Sentence("pattern_groups_hint"),
            )
        else:
            pieces.append(int(letter))
        at = match.end()
    return tuple(piece for piece in (*pieces, text[at:]) if piece != "")


def _written_template(template: Template) -> Any:
    pieces = [
        f"\\{piece}"
        if isinstance(piece, int)
        else piece.replace("\\", "\\\\")
        if isinstance(piece, str)
        else piece
        for piece in template
    ]
    return written(joined_text(pieces))


# --- every value of a place ----------------------------------------------------------------------


def _rewritten(here: Here, place: Place, new: Callable[[Any], Any], storage: Storage) -> EditSet:
    """Return the edits that make every value at the place a new one; ``ABSENT`` takes it away."""
    # What becomes equal to another element of its list goes away, so that nothing is there twice.
    edits: list[Edit] = []
    named: list[Path] = []
    for path, value in leaves(here.node, here.path, place.steps):
        named.append(path)
        wanted = new(value)
        if wanted is ABSENT:
            edits.append(Take(path=path))
        elif not same(wanted, value):
            formed = storage.form(wanted, path, value)
            if not same(formed, value):
                edits.append(Put(path=path, value=formed))
            elif not is_same_text(wanted, value):
                raise undone(path, wanted)
    return EditSet(edits=tuple(_without_repeats(here, edits)), named=tuple(named))


def _without_repeats(here: Here, edits: list[Edit]) -> Iterator[Edit]:
    puts = [edit for edit in edits if isinstance(edit, Put)]
    yield from (edit for edit in edits if not isinstance(edit, Put))
    changed: dict[Path, dict[Path, list[Put]]] = {}
    for edit in puts:
        element = _element_of(edit.path, here.path)
        if element is None:
            yield edit
        else:
            changed.setdefault(element[:-1], {}).setdefault(element, []).append(edit)
    for path, elements in changed.items():
        yield from _once_in_list(value_of(here.node, path[len(here.path) :]), path, elements)


def _once_in_list(
    items: Sequence[Any], path: Path, elements: Mapping[Path, list[Put]]
) -> Iterator[Edit]:
    """Yield the edits of a list's elements; what would be there already is taken away instead."""
    known = {comparable(item) for index, item in enumerate(items) if (*path, index) not in elements}
    for element, made in elements.items():
        value = items[int(element[-1])]
        for edit in made:
            value = put(value, edit.path[len(element) :], edit.value)
        form = comparable(value)
        if form in known:
            yield Take(path=element)
        else:
            known.add(form)
            yield from made


def _element_of(path: Path, root: Path) -> Path | None:
    """Return the path of the innermost list element that a path lies in, inside the object."""
    for length in range(len(path), len(root), -1):
        if isinstance(path[length - 1], int):
            return path[:length]
    return None
