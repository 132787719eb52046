"""What the selections of steps must keep to beyond the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.problems import harmless, meant, shown
from bulkrunner.domain.forms import FormError, proposal
from bulkrunner.domain.queries import Name, libraries_named, parse_name, unindexed
from bulkrunner.domain.references import Origin
from bulkrunner.domain.text_functions import parse_call
from bulkrunner.domain.values import parse_value, references_of


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
                    message=f"rows.clean.{shown(name)}: {error}",
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
                    message=f"{key}: {shown(sigel)} is not among `sigels`",
                    hint="a job selects holdings of its own libraries only",
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
            message=f"find: {error.message}",
            hint=error.hint,
        )
        return
    for found in references:
        name = found.text.partition(".")[2]
        if found.origin is not Origin.PARAM:
            yield Told(
                path=("find",),
                code="bad_value",
                message=f"find: {shown(found.text)} is not known before the search is made",
                hint="a search refers to parameters only: @param.name",
            )
        elif name not in known:
            near = meant(name, known)
            yield Told(
                path=("find",),
                code="unknown_parameter",
                message=f"find: there is no parameter {shown(name)}",
                hint=proposal(name, near, "@param.") if near else "declare it in `parameters`",
            )


def _index_faults(find: Mapping[str, Any], sigels: Any, *, of_bibs: bool) -> Iterator[Told]:
    """Yield each condition that the index cannot answer: it selects wrongly, without a word."""
    named = libraries_named(find) or tuple(one for one in sigels or () if isinstance(one, str))
    library = named[0] if len(named) == 1 else f"[{', '.join(named)}]"
    bibs = "" if of_bibs or "@type" in find else '; if bibs are meant, say so: `"@type": Instance`'
    for name, lacking in unindexed(find, of_bibs=of_bibs).items():
        yield Told(
            path=("find",),
            key=name,
            code="not_indexed",
            message=f"find: {shown(name)}: {_LACKING.get(lacking, _ABSENT).format(shown(lacking))}",
            hint=f"select the holdings by `library: {harmless(library)[:200]}` and test each "
            f"record: {_where(parse_name(name), find[name])}{bibs}",
        )


_ABSENT = "holdings cannot be searched by {}: the search index does not hold it"
_LACKING = {
    "shelfMark": _ABSENT + ", but for the link of a shelf mark that is a sequence (shelfMark.@id)",
    "q": "holdings cannot be searched by any text: the search index holds little of them",
}
_IN_WHERE = "put the condition into `where`"


def _where(name: Name, value: Any) -> str:
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
    return f"`where: {harmless(json.dumps(condition, ensure_ascii=False))[:200]}`"
