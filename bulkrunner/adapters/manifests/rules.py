"""What a manifest must keep to beyond its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from bulkrunner.adapters.manifests.explicit import expected_of
from bulkrunner.adapters.manifests.faults import PathKey, meant, path_text, shown
from bulkrunner.adapters.manifests.schema import Told
from bulkrunner.domain.changes.change import demand_kept_at
from bulkrunner.domain.dates import parse_span
from bulkrunner.domain.expressions.parsing import FormError, proposal
from bulkrunner.domain.expressions.references import Origin
from bulkrunner.domain.expressions.text_functions import parse_call
from bulkrunner.domain.expressions.value_parsing import MARKS, parse_value
from bulkrunner.domain.expressions.values import references_of
from bulkrunner.domain.identifiers import identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import declared
from bulkrunner.domain.places import RECORD_PREFIX, PlaceError, parse_place
from bulkrunner.domain.queries import Name, libraries_named, parse_name, unindexed
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence, verbatim


def head_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    """Yield what the keys of a manifest's head demand of each other."""
    sigels = data.get("sigels")
    owner = data.get("on_behalf_of")
    if isinstance(sigels, list) and isinstance(owner, str) and owner and owner not in sigels:
        yield Told(
            path=("on_behalf_of",),
            code="sigel_not_in_job",
            message=Sentence("owner_not_in_job", owner=shown(owner)),
            hint=_sigel_hint(owner, sigels),
        )
    agreement = data.get("agreement")
    agreed_on = agreement.get("agreed_on") if isinstance(agreement, dict) else None
    if isinstance(agreed_on, str) and not _is_date(agreed_on):
        yield Told(
            path=("agreement", "agreed_on"),
            code="wrong_value",
            message=Sentence("agreed_on_no_day", agreed_on=shown(agreed_on)),
        )

    yield from _undo_faults(data)
    yield from _parameter_faults(data)


def _sigel_hint(owner: str, sigels: Sequence[Any]) -> str:
    clean = [one for one in sigels if isinstance(one, str) and one == one.strip()]
    near = meant(owner.strip(), clean)
    return proposal(owner, near) if near else Sentence("rules_name_sigels")


def _parameter_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    parameters = data.get("parameters")
    for name, one in parameters.items() if isinstance(parameters, dict) else ():
        try:
            declared(name, one)
        except Fault as fault:
            yield Told(
                path=("parameters", name),
                code="wrong_value",
                message=Sentence("parameter_default", name=name[:60], error=fault.said),
            )
        except ValueError:
            continue  # an unknown type is the schema's to tell


def _undo_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    steps = data.get("steps")
    steps = steps if isinstance(steps, list) else []
    undoing = any(isinstance(step, dict) and "undo" in step for step in steps)
    if undoing and (len(steps) > 1 or "operations" in data):
        yield Told(
            path=("steps",),
            code="undo_alone",
            message=Sentence("undo_alone"),
            hint=Sentence("undo_alone_hint"),
        )


def _is_date(text: str) -> bool:
    # Another form than YYYY-MM-DD is the schema's to tell.
    if len(text) != len("2026-11-02"):
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def operation_faults(
    data: Mapping[str, Any], *, covers_bibs: bool, prefix: tuple[PathKey, ...] = ()
) -> Iterator[Told]:
    """Yield what is wrong with an explicit operation that fits the schema."""
    if data.get("create") == "bib" and not covers_bibs:
        yield Told(
            path=("create",),
            code="bibs_not_covered",
            message=Sentence("bibs_not_covered"),
            hint=Sentence("bibs_not_covered_hint"),
        )
    yield from change_faults(data, prefix=prefix)
    yield from _content_faults(data, prefix)
    yield from _expect_faults(data, prefix)
    for path, mark in _marks({key: data[key] for key in _VALUED if key in data}, ()):
        yield Told(
            path=path,
            key=mark,
            code="unknown_key",
            message=Sentence(
                "reference_in_operation", mark=shown(mark), path=path_text((*prefix, *path))
            ),
            hint=Sentence("reference_in_operation_hint"),
        )


def _content_faults(data: Mapping[str, Any], prefix: tuple[PathKey, ...]) -> Iterator[Told]:
    """Yield every value that is to be written and of which the server would keep nothing."""
    for path, place, value in _written(data):
        try:
            demand_kept_at(place, value)
        except FormError as error:
            yield Told(
                path=path,
                code=error.code,
                message=Sentence(
                    "at_path", path=path_text((*prefix, *path)), message=error.message
                ),
                hint=error.hint,
            )


def _written(data: Mapping[str, Any]) -> Iterator[tuple[tuple[PathKey, ...], str, Any]]:
    """Yield every value that an explicit operation writes: path, place, value."""
    for number, change in enumerate(data.get("changes", ())):
        for verb, key in (("set", "to"), ("append", "value")):
            if verb in change:
                yield ("changes", number, verb, key), change[verb]["at"], change[verb][key]
    whole = data.get("replace", {})
    for path, prefix, part in (
        (("body",), "", data.get("body", {})),
        (("record",), RECORD_PREFIX, data.get("record", {})),
        (("replace", "item"), "", whole.get("item", {})),
        (("replace", "record"), RECORD_PREFIX, whole.get("record", {})),
    ):
        for key, value in part.items():
            yield (*path, key), f"{prefix}{key}", value


def _expect_faults(data: Mapping[str, Any], prefix: tuple[PathKey, ...]) -> Iterator[Told]:
    """Yield what is wrong with the tests in ``expect``."""
    for place, value in data.get("expect", {}).items():
        try:
            expected_of(value)
        except FormError as error:
            found = error.below("expect", place)
            where = path_text((*prefix, *found.path, *((found.key,) if found.key else ())))
            yield Told(
                path=found.path,
                key=found.key,
                code=found.code,
                message=Sentence("at_path", path=where, message=found.message),
                hint=found.hint,
            )


_VALUED = ("changes", "replace", "body", "record", "expect")


def _marks(value: Any, path: tuple[PathKey, ...]) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    """Yield where a value has the mark of a reference."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in MARKS:
                yield path, key
            elif isinstance(item, (dict, list)):
                yield from _marks(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, (dict, list)):
                yield from _marks(item, (*path, number))


def change_faults(data: Mapping[str, Any], *, prefix: tuple[PathKey, ...] = ()) -> Iterator[Told]:
    """Yield every place in ``changes`` and ``expect`` that is none."""
    for path, place in _places(data):
        if reason := _place_fault(place):
            # In ``expect`` the place is the key, not its value.
            key = place if path[0] == "expect" else None
            yield Told(
                path=path[:-1] if key is not None else path,
                key=key,
                code="bad_place",
                message=Sentence(
                    "bad_place", path=path_text((*prefix, *path)), place=shown(place), error=reason
                ),
            )


def _places(data: Mapping[str, Any]) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    for number, change in enumerate(data.get("changes", ())):
        for kind, arguments in change.items():
            yield ("changes", number, kind, "at"), arguments["at"]
    for place in data.get("expect", {}):
        yield ("expect", place), place


@lru_cache(maxsize=4096)
def _place_fault(place: str) -> str:
    try:
        parse_place(place)
    except ValueError as error:
        return str(error.args[0])
    return ""


def selection_faults(step: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Told]:
    """Yield what is wrong with a step's selection.

    Args:
        step: that fits the schema.
        data: the whole manifest.
    """
    yield from _clean_faults(step)
    yield from _library_faults(step, data.get("sigels"))
    if "find" in step:
        yield from _find_faults(step["find"], data.get("parameters"))
        yield from _index_faults(step["find"], data.get("sigels"), of_bibs="holdings" in step)


def _clean_faults(step: Mapping[str, Any]) -> Iterator[Told]:
    for name, texts in step.get("rows", {}).get("clean", {}).items():
        for number, text in enumerate(texts):
            try:
                parse_call(text)
            except FormError as error:
                yield Told(
                    path=("rows", "clean", name, number),
                    code="bad_function",
                    message=Sentence("rows_clean", name=shown(name), error=error.message),
                    hint=error.hint,
                )


def _library_faults(step: Mapping[str, Any], sigels: Any) -> Iterator[Told]:
    known: Sequence[Any] = sigels if isinstance(sigels, list) else ()
    for key in ("library", "holdings"):
        named = step.get(key, ())
        one = key == "library" and isinstance(named, str)
        for number, sigel in enumerate(
            [named] if one else named if isinstance(named, list) else ()
        ):
            if known and sigel not in known:
                yield Told(
                    path=(key,) if one else (key, number),
                    code="sigel_not_in_job",
                    message=Sentence("sigel_not_in_job", path=key, sigel=shown(sigel)),
                    hint=Sentence("selects_own_libraries"),
                )


def _find_faults(find: Mapping[str, Any], parameters: Any) -> Iterator[Told]:
    known = list(parameters) if isinstance(parameters, dict) else []
    try:
        references = list(references_of(parse_value(dict(find))))
    except FormError as error:
        yield Told(
            path=("find", *error.path),
            key=error.key,
            code="bad_value",
            message=Sentence("at_path", path="find", message=error.message),
            hint=error.hint,
        )
        return
    for found in references:
        name = found.text.partition(".")[2]
        if found.origin is not Origin.PARAM:
            yield Told(
                path=("find",),
                code="bad_value",
                message=Sentence("search_reference", found=shown(found.text)),
                hint=Sentence("search_reference_hint"),
            )
        elif name not in known:
            near = meant(name, known)
            yield Told(
                path=("find",),
                code="unknown_parameter",
                message=Sentence("search_parameter", name=shown(name)),
                hint=proposal(name, near, "@param.")
                if near
                else Sentence("rules_declare_parameter"),
            )


def _index_faults(find: Mapping[str, Any], sigels: Any, *, of_bibs: bool) -> Iterator[Told]:
    """Yield each condition that the index cannot answer: it selects wrongly, without a word."""
    named = libraries_named(find) or tuple(one for one in sigels or () if isinstance(one, str))
    library = named[0] if len(named) == 1 else f"[{', '.join(named)}]"
    for name, lacking in unindexed(find, of_bibs=of_bibs).items():
        hint = Sentence(
            "search_not_indexed_hint",
            library=harmless(library)[:200],
            condition=_where(parse_name(name), find[name]),
        )
        yield Told(
            path=("find",),
            key=name,
            code="not_indexed",
            message=Sentence("search_not_indexed", name=shown(name), lacking=_lacking(lacking)),
            hint=hint if of_bibs or "@type" in find else Sentence("search_or_bibs", hint=hint),
        )


def _lacking(what: str) -> Sentence:
    match what:
        case "q":
            return Sentence("search_lacks_text")
        case "shelfMark":
            return Sentence("search_lacks_shelf_mark", what=shown(what))
        case _:
            return Sentence("search_lacks", what=shown(what))


_IN_WHERE = Sentence("condition_into_where")


def _where(name: Name, value: Any) -> Sentence:
    """Return the condition of a record that says the same as one of a query, as far as it can."""
    values = value if isinstance(value, list) else [value]
    field = name.field.rpartition("@reverse.itemOf.")[2]
    simple = field != "q" and "hasComponent" not in field and not name.either
    if not simple or any(isinstance(one, dict) for one in values):
        return _IN_WHERE
    match name.relation:
        case "exists":
            test: Any = {"exists": str(values[-1]).lower() != "false"}
        case "" | "not" if len(values) > 1:
            test = {"in": values}
        case "" | "not" if isinstance(values[0], str) and values[0].endswith("*"):
            test = {"starts_with": values[0].removesuffix("*")}
        case "" | "not":
            test = {"equals": values[0]}
        case _:
            return _IN_WHERE
    condition = {field: test}
    if name.relation == "not":
        condition = {"not": condition}
    written = harmless(json.dumps(condition, ensure_ascii=False))[:200]
    return verbatim(f"`where: {written}`")


SIGELS = (("move", "to"), ("copy", "sigel"), ("split", "sigel"), ("merge", "into", "holding_of"))

MOMENTS = (("revert", "before"), ("revert", "since"))

PLACES = (("merge", "take"), ("copy", "without"))

RECORDS = (("repoint", "to"), ("copy", "of"), ("split", "of"), ("merge", "into"))


def transfer_faults(step: Mapping[str, Any], sigels: Any, iris: IriMap) -> Iterator[Told]:
    """Yield what is wrong with constants that name a library, a record or a place.

    Args:
        step: that fits the schema.
        sigels: the manifest's.
        iris: known environments.
    """
    known: Sequence[Any] = sigels if isinstance(sigels, list) else ()
    for path, sigel in _constants(step, SIGELS):
        if known and sigel not in known:
            yield Told(
                path=path,
                code="sigel_not_in_job",
                message=Sentence("sigel_not_in_job", path=path_text(path), sigel=shown(sigel)),
                hint=Sentence("writes_own_libraries"),
            )
    for path, text in _constants(step, RECORDS):
        found = identify(text, iris)
        if isinstance(found, Refusal):
            yield Told(
                path=path,
                code=found.code,
                message=Sentence("at_path", path=path_text(path), message=found.message),
                hint=found.hint,
            )
    yield from _moment_faults(step)
    for verb, key in PLACES:
        for number, place in enumerate(step.get(verb, {}).get(key, ())):
            try:
                parse_place(place)
            except PlaceError as error:
                at = (verb, key, number)
                yield Told(
                    path=at,
                    code="bad_place",
                    message=Sentence(
                        "bad_place", path=path_text(at), place=shown(place), error=error.args[0]
                    ),
                )


def _moment_faults(step: Mapping[str, Any]) -> Iterator[Told]:
    for path, text in _constants(step, MOMENTS):
        if parse_span(text) is None:
            yield Told(
                path=path,
                code="wrong_value",
                message=Sentence("no_date", path=path_text(path), text=shown(text)),
                hint=Sentence("no_date_hint"),
            )
    if "since" in step.get("revert", {}) and "before_edit_by" not in step["revert"]:
        yield Told(
            path=("revert",),
            key="since",
            code="unknown_key",
            message=Sentence("revert_since"),
        )


def _constants(
    step: Mapping[str, Any], paths: Sequence[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for path in paths:
        text: Any = step
        for key in path:
            text = text.get(key) if isinstance(text, dict) else None
        if isinstance(text, str):
            yield path, text
