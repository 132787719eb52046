"""Changes by example: a record that looks like ``match`` comes to look like ``result``."""

# An example is the thing's own content, with the record part under ``meta``. A form fits where the
# record has everything in it: objects may have more, a single value equals a list of one, lists are
# sets (``termComponentList`` keeps its order), ``@type`` is equal or ``bulk:Any``. What both forms
# say alike stays; the rest is removed, added or replaced, in every place that fits.

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Self

from bulkrunner.domain.canonical import canonical_bytes, same
from bulkrunner.domain.changes.change import Change, demand_kept_at, read_value
from bulkrunner.domain.changes.edits import Add, Edit, EditSet, Put, Take, as_list
from bulkrunner.domain.changes.scopes import PLAIN, Scope
from bulkrunner.domain.expressions import FormPath, Outside, brief
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.value_parsing import MARKS, parse_value
from bulkrunner.domain.expressions.values import resolve, written
from bulkrunner.domain.expressions.wording import value_said
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT, RECORD_PATH, THING_PATH, Path, value_of
from bulkrunner.domain.records import KEPT, RECORD_KEPT, Document, record_part, thing_part
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import comparable
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence, joined, verbatim
from bulkrunner.vocabulary import is_set

META = "meta"
ANY_TYPE = "bulk:Any"
_ORDERED = frozenset({"termComponentList"})
MAX_DEPTH = 30
MAX_ELEMENTS = 200


@dataclass(frozen=True, kw_only=True)
class ExampleChange(Change):
    """What looks like one example comes to look like the other; both constant or ``Dynamic``."""

    verb = "example"
    values = ("match", "result")

    at: str = ""
    match: Any
    result: Any

    @classmethod
    def parse(cls, data: Any, scope: Scope = PLAIN, outside: Outside | None = None) -> Self:
        """Read both forms; Fault where they do not say plainly what becomes of what."""
        check_example(data["match"], data["result"])
        for key, value in data["result"].items():
            if key != META:
                try:
                    demand_kept_at(key, parse_value(value), key=key)
                except Fault as error:
                    raise error.below("result") from None
        match, result = read_value(data, "match"), read_value(data, "result")
        return cls(match=match, result=result, scope=scope)

    def fits(self, context: Context) -> bool:
        """Return True if the record looks like the first form; Refused where a value is missing."""
        return looks_like(self._forms(context)[0], context.document)

    def edits_on(self, document: Document, context: Context) -> EditSet:
        match, result = self._forms(context)
        if not looks_like(match, document):
            return EditSet()
        try:
            edits = example_edits(match, result, document)
        except Fault as error:
            raise Refused(
                "unclear_example",
                Sentence("unclear_example", why=error.said),
                error.hint,
            ) from None
        formed = (_formed(edit, context) for edit in edits)
        return EditSet(
            edits=tuple(edit for edit in formed if edit is not None),
            named=tuple(edit.path for edit in edits),
        )

    def _forms(self, context: Context) -> tuple[dict[str, Any], dict[str, Any]]:
        match = context.iris.localise(resolve(self.match, context))
        return match, context.iris.localise(resolve(self.result, context))

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        forms = {"match": written(self.match), "result": written(self.result)}
        return forms if iris is None else dict(iris.neutral(forms))

    @property
    def pattern(self) -> Sentence:
        return joined(list(_words(written(self.match), written(self.result), "")))

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        match, result = value_said(given["match"]), value_said(given["result"])
        return Sentence("does_example", match=match, result=result)


def _formed(edit: Edit, context: Context) -> Edit | None:
    """Return an edit with its value in the form of the record; None where that is there already."""
    if isinstance(edit, Take):
        return edit
    found = value_of(context.document, edit.path)
    if isinstance(edit, Add):
        return replace(edit, value=context.storage.form(edit.value, edit.path, found))
    there = found if isinstance(found, list) else []
    if isinstance(edit.value, list):
        value: Any = [
            item
            if any(item is other for other in there)
            else context.storage.form(item, (*edit.path, index), found)
            for index, item in enumerate(edit.value)
        ]
    else:
        value = context.storage.form(edit.value, edit.path, found)
    return None if same(found, value) else Put(path=edit.path, value=value)


# --- fitting -----------------------------------------------------------------------------------


def looks_like(form: Mapping[str, Any], document: Document) -> bool:
    """Return True if a record has everything that the form has."""
    thing = {key: value for key, value in form.items() if key != META}
    return _fits(thing, thing_part(document)) and _fits(form.get(META, {}), record_part(document))


def _fits(form: Any, value: Any) -> bool:
    if not isinstance(form, dict):
        return not isinstance(value, dict) and comparable(form) == comparable(value)
    if not isinstance(value, dict):
        return False
    return all(_has(form, key, value) for key in form)


def _has(form: Mapping[str, Any], key: str, node: Mapping[str, Any]) -> bool:
    if key == "@type" and form[key] == ANY_TYPE:
        return True
    if key not in node:
        return False
    wanted, found = as_list(form[key]), as_list(node[key])
    if key in _ORDERED:
        return len(wanted) == len(found) and all(map(_fits, wanted, found))
    return _all_placed(wanted, found)


def _all_placed(wanted: Sequence[Any], found: Sequence[Any]) -> bool:
    """Return True if each form fits an element of its own, whichever way they are handed out."""
    fitting = [[index for index, item in enumerate(found) if _fits(form, item)] for form in wanted]
    taken: dict[int, int] = {}
    return all(_place(number, fitting, taken, set()) for number in range(len(wanted)))


def _place(number: int, fitting: list[list[int]], taken: dict[int, int], tried: set[int]) -> bool:
    for index in fitting[number]:
        if index in tried:
            continue
        tried.add(index)
        if index not in taken or _place(taken[index], fitting, taken, tried):
            taken[index] = number
            return True
    return False


# --- edits -------------------------------------------------------------------------------------


def example_edits(
    match: Mapping[str, Any], result: Mapping[str, Any], document: Document
) -> list[Edit]:
    """Return what makes a record that looks like one form look like the other."""
    # Fault: unclear.
    # Both are plain data, with record IRIs of the document's environment; the document looks like
    # ``match``.
    check_example(match, result)
    edits: list[Edit] = []
    for root, kept, node, one, other in _parts(match, result, document):
        edits += _object_edits(_without(one, kept), _without(other, kept), node, root)
    return edits


def _parts(
    match: Mapping[str, Any], result: Mapping[str, Any], document: Document
) -> Iterator[tuple[Path, frozenset[str], dict[str, Any], Mapping[str, Any], Mapping[str, Any]]]:
    meta = frozenset({META})
    yield THING_PATH, KEPT | meta, thing_part(document), match, result
    yield (
        RECORD_PATH,
        RECORD_KEPT,
        record_part(document),
        match.get(META, {}),
        result.get(META, {}),
    )


def _without(form: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in form.items() if key not in keys}


def _object_edits(
    match: Mapping[str, Any], result: Mapping[str, Any], node: Mapping[str, Any], path: Path
) -> Iterator[Edit]:
    for key in dict.fromkeys([*match, *result]):
        if key not in result:
            if match[key] != ANY_TYPE:
                yield from _taken(as_list(match[key]), [], node, (*path, key))
        elif key not in match:
            several = isinstance(result[key], list) or is_set(key)
            yield Add(path=(*path, key), value=result[key], as_list=several)
        elif not same(match[key], result[key]):
            yield from _value_edits(match[key], result[key], node, (*path, key))


def _value_edits(match: Any, result: Any, node: Mapping[str, Any], path: Path) -> Iterator[Edit]:
    kept, old, new = _paired(match, result)
    if not new:
        yield from _taken(old, kept, node, path)
    elif not old:
        yield Add(path=path, value=new, as_list=True)
    elif path[-1] == "@type" or (len(old) == len(new) == 1):
        yield from _replaced(old[0], new[0], kept, node, path)
    else:
        yield _relisted(old, new, node, path)


def _paired(match: Any, result: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Return what both have alike, and what only one of them has."""
    rest = list(as_list(result))
    kept, old = [], []
    for form in as_list(match):
        at = next((index for index, other in enumerate(rest) if same(form, other)), None)
        if at is None:
            old.append(form)
        else:
            kept.append(rest.pop(at))
    return kept, old, rest


def _elements(node: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    value = node.get(str(path[-1]), ABSENT)
    if isinstance(value, list):
        yield from (((*path, index), item) for index, item in enumerate(value))
    elif value is not ABSENT:
        yield path, value


def _meant(
    form: Any, kept: Sequence[Any], node: Mapping[str, Any], path: Path
) -> Iterator[tuple[Path, Any]]:
    """Yield the elements that a form is about: those that fit it and none that is to stay."""
    for spot, item in _elements(node, path):
        if _fits(form, item) and not any(_fits(other, item) for other in kept):
            yield spot, item


def _taken(
    forms: Sequence[Any], kept: Sequence[Any], node: Mapping[str, Any], path: Path
) -> Iterator[Edit]:
    for form in forms:
        for spot, _ in _meant(form, kept, node, path):
            yield Take(path=spot)


def _replaced(
    old: Any, new: Any, kept: Sequence[Any], node: Mapping[str, Any], path: Path
) -> Iterator[Edit]:
    for spot, item in _meant(old, kept, node, path):
        if isinstance(old, dict) and not _is_link(old) and not _is_link(new):
            yield from _object_edits(old, new, item, spot)
        elif any(comparable(other) == comparable(new) for _, other in _elements(node, path)):
            yield Take(path=spot)
        else:
            yield Put(path=spot, value=new)


def _relisted(old: list[Any], new: list[Any], node: Mapping[str, Any], path: Path) -> Edit:
    items = [item for _, item in _elements(node, path)]
    gone = {comparable(item) for item in old}
    left = [item for item in items if comparable(item) not in gone]
    known = {comparable(item) for item in left}
    added = [item for item in new if comparable(item) not in known]
    return Put(path=path, value=[*left, *added])


def _is_link(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"@id"}


# --- checking ----------------------------------------------------------------------------------


def check_example(match: Any, result: Any) -> None:
    """Raise Fault for what two forms, as written, leave unclear, or ask for and must not."""
    # Its path begins with ``match`` or ``result``.
    for name, form in (("match", match), ("result", result)):
        if not isinstance(form, dict):
            raise Fault(Sentence("example_no_object", name=name), path=(name,))
        _check_form(form, (name,))
        if not isinstance(form.get(META, {}), dict):
            raise Fault(Sentence("example_meta"), path=(name, META))
    if not match:
        raise Fault(Sentence("example_match_empty"), path=("match",))
    _check_kept(match, result, KEPT, ("result",))
    _check_kept(match.get(META, {}), result.get(META, {}), RECORD_KEPT, ("result", META))
    _check_pair(_without(match, KEPT), _without(result, KEPT), ())


def _check_form(value: Any, path: FormPath) -> None:
    if len(path) > MAX_DEPTH:
        raise Fault(Sentence("example_too_deep", most=MAX_DEPTH), path=path)
    if value is None:
        raise Fault(Sentence("example_null"), path=path)
    if isinstance(value, list):
        if len(value) > MAX_ELEMENTS:
            raise Fault(Sentence("example_list_long", most=MAX_ELEMENTS), path=path)
        for index, item in enumerate(value):
            if isinstance(item, list):
                raise Fault(Sentence("example_list_in_list"), path=(*path, index))
            _check_form(item, (*path, index))
    elif isinstance(value, dict) and not _is_marked(value):
        for key, item in value.items():
            if key.startswith("bulk:"):
                raise Fault(
                    Sentence("example_key_unknown", key_=brief(key)),
                    path=path,
                    key=key,
                    hint=Sentence("example_key_unknown_hint"),
                )
            _check_form(item, (*path, key))


def _check_kept(
    match: Mapping[str, Any], result: Mapping[str, Any], kept: frozenset[str], path: FormPath
) -> None:
    for key in result:
        if key in kept and not same(match.get(key, ABSENT), result[key]):
            raise Fault(
                Sentence("example_kept", key_=brief(key)),
                path=path,
                key=key,
                hint=Sentence("example_kept_hint"),
            )


def _check_pair(match: Mapping[str, Any], result: Mapping[str, Any], path: FormPath) -> None:
    for key in match:
        if key in result and not same(match[key], result[key]):
            _check_values(match[key], result[key], (*path, key))


def _check_values(match: Any, result: Any, path: FormPath) -> None:
    if path == (META,):
        _check_pair(_without(match, RECORD_KEPT), _without(result, RECORD_KEPT), path)
        return
    _, old, new = _paired(match, result)
    if not old or not new:
        return
    if path[-1] in _ORDERED:
        raise Fault(
            Sentence("example_ordered", key_=path[-1]),
            path=("result", *path),
            hint=Sentence("use_set"),
        )
    kinds = {_kind_of(value) for value in (*old, *new)} - {_ANY_KIND}
    if len(kinds) > 1:
        raise Fault(
            Sentence("kinds_for_each_other", kinds=reduce(_both, sorted(kinds))),
            path=("result", *path),
            hint=Sentence("kinds_for_each_other_hint"),
        )
    if len(old) == len(new) == 1:
        if isinstance(old[0], dict) and isinstance(new[0], dict):
            _check_pair(old[0], new[0], path)
    elif "an object" in kinds:
        raise Fault(
            Sentence("example_unclear"),
            path=("result", *path),
            hint=Sentence("example_unclear_hint"),
        )


_ANY_KIND = verbatim("?")


def _both(one: Sentence, other: Sentence) -> Sentence:
    return Sentence("both", one=one, other=other)


def _kind_of(value: Any) -> Sentence:
    match value:
        case dict():
            return _ANY_KIND if _is_marked(value) else Sentence("an_object")
        case str():
            return Sentence("plain_text")
        case bool():
            return Sentence("true_or_false")
    return Sentence("a_number")


def _is_marked(value: Mapping[str, Any]) -> bool:
    return any(mark in value for mark in MARKS)


# --- in words ----------------------------------------------------------------------------------


def _words(match: Mapping[str, Any], result: Mapping[str, Any], at: str) -> Iterator[Sentence]:
    for key in dict.fromkeys([*match, *result]):
        place = f"{at}{key}"
        if key not in result:
            yield Sentence("part_remove", at=place)
        elif key not in match:
            yield Sentence("part_add", at=place)
        elif canonical_bytes(match[key]) != canonical_bytes(result[key]):
            yield from _words_of_pair(match[key], result[key], place)


def _words_of_pair(match: Any, result: Any, place: str) -> Iterator[Sentence]:
    if place == META:
        yield from _words(match, result, "@record.")
        return
    _, old, new = _paired(match, result)
    one = len(old) == len(new) == 1
    if one and isinstance(old[0], dict) and isinstance(new[0], dict) and not _is_link(new[0]):
        yield from _words(old[0], new[0], f"{place}.")
    elif old and new:
        yield Sentence("part_change", at=place)
    else:
        yield Sentence("part_add" if new else "part_remove", at=place)
