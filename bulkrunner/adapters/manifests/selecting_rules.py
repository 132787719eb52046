"""What the selections of steps must keep to beyond the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.problems import meant, shown
from bulkrunner.domain.forms import FormError
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
                hint=f"did you mean `@param.{near}`?" if near else "declare it in `parameters`",
            )
