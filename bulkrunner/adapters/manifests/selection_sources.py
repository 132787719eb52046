"""What of a step says which records are meant: read, checked, and said in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkrunner.adapters.manifests.head import Manifest
from bulkrunner.adapters.manifests.inputs import (
    IdFile,
    InlineIds,
    ReportLines,
    Selection,
    TableRows,
)
from bulkrunner.adapters.manifests.problems import KeyPath, proposed, shown
from bulkrunner.adapters.tables import Form
from bulkrunner.domain.expressions.references import Origin
from bulkrunner.domain.expressions.text_functions import Call, parse_call
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import references_of
from bulkrunner.domain.expressions.wording import all_of, any_of, both, name_said, through_said
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.queries import Name, libraries_named, parse_name, unindexed
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence, verbatim


@dataclass(frozen=True, kw_only=True)
class EnvironmentSelection:
    """Records that only an environment can name.

    Attributes:
        selects: ``{"find": …}`` or ``{"library": …}``, as declared. at: where.
    """

    selects: Mapping[str, Any]
    at: Source


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which records a step means.

    Attributes:
        key: of the step, that says so. given: what stands below it.
        read: what reads them, or is asked of an environment.
    """

    key: str
    given: Any
    read: Selection | EnvironmentSelection

    @property
    def said(self) -> Sentence:
        """Which they are, to follow what they are."""
        return SOURCES[self.key].said(self.given)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A key of a step that says which records are meant.

    Attributes:
        read: returns what reads them; notes what is wrong.
        said: says which they are.
    """

    read: Callable[[Any, KeyPath, Manifest], Selection | EnvironmentSelection]
    said: Callable[[Any], Sentence]


def chosen_by(step: Mapping[str, Any], path: KeyPath, manifest: Manifest) -> Chosen:
    """Return which records a step means, and note what is wrong with that."""
    key = next(key for key in SOURCES if key in step)
    if isinstance(step.get("holdings"), list):
        manifest.note(_foreign("holdings", step["holdings"], manifest), path)
    if key == "find":
        manifest.note(_find_faults(step["find"], manifest), path)
        of_bibs = "holdings" in step
        manifest.note(_index_faults(step["find"], manifest.sigels, of_bibs=of_bibs), path)
    return Chosen(
        key=key, given=step[key], read=SOURCES[key].read(step[key], (*path, key), manifest)
    )


# --- lists, tables, reports ----------------------------------------------------------------------


def ids_of(given: Any, path: KeyPath, manifest: Manifest) -> Selection:
    """Return what reads a list of ids, in the manifest or in a file."""
    long = given if isinstance(given, dict) else {}
    meanings = _meanings(long.get("as"))
    listed = given if isinstance(given, list) else long.get("list")
    if listed is not None:
        at = path if isinstance(given, list) else (*path, "list")
        places = [(text, manifest.source((*at, number))) for number, text in enumerate(listed)]
        return InlineIds(ids=places, meanings=meanings)
    return IdFile(
        folder=manifest.folder,
        name=long.get("file", given),
        at=manifest.source((*path, "file")),
        meanings=meanings,
        encoding=long.get("encoding"),
    )


def _meanings(given: Any) -> tuple[Number, ...]:
    """Return what bare numbers are taken for."""
    words = given if isinstance(given, list) else [given] if given else []
    return tuple(Number(word) for word in words)


def _ids_said(given: Any) -> Sentence:
    if isinstance(given, dict):
        return _numbers_said(_ids_said(given.get("file", given.get("list"))), given)
    if isinstance(given, str):
        return Sentence("ids_in", file=name_said(given))
    return Sentence("ids_in_manifest", count=len(given))


_NUMBERS = {
    "bib": Sentence("numbers_of_bibs"),
    "holding": Sentence("numbers_of_holdings"),
    "libris3": Sentence("numbers_of_libris3"),
    "isbn": verbatim("ISBN"),
    "issn": verbatim("ISSN"),
}


def _numbers_said(said: Sentence, given: Mapping[str, Any]) -> Sentence:
    kinds = _meanings(given.get("as"))
    if not kinds:
        return said
    return Sentence("bare_numbers", said=said, kinds=any_of(_NUMBERS[kind] for kind in kinds))


def _rows_of(given: Mapping[str, Any], path: KeyPath, manifest: Manifest) -> TableRows:
    clean: dict[str, list[Call]] = {name: [] for name in given.get("clean", {})}
    for name, texts in given.get("clean", {}).items():
        for number, text in enumerate(texts):
            try:
                clean[name].append(parse_call(text))
            except Fault as fault:
                said = Sentence("rows_clean", name=shown(name), error=fault.said)
                bad = Fault(said, code="bad_function", hint=fault.hint)
                manifest.note([bad], (*path, "clean", name, number))
    header = given.get("header", True)
    return TableRows(
        folder=manifest.folder,
        name=given["file"],
        at=manifest.source((*path, "file")),
        key=str(given["key"]),
        key_at=manifest.source((*path, "key")),
        form=Form(
            encoding=given.get("encoding"),
            separator=given.get("separator"),
            # JSON has one kind of number: 1.0 is the first row too.
            header=int(header) if isinstance(header, float) else header,
            columns=tuple(given.get("columns", ())),
            quotes=given.get("quotes", True),
            sheet=given.get("sheet"),
            hidden=given.get("hidden"),
        ),
        clean=clean,
        cleaned_at={name: manifest.source((*path, "clean", name), key=name) for name in clean},
        meanings=_meanings(given.get("as")),
    )


def _rows_said(given: Mapping[str, Any]) -> Sentence:
    said = Sentence("rows_of", file=name_said(given["file"]), column=name_said(str(given["key"])))
    header, hidden = given.get("header", True), given.get("hidden")
    form = [] if isinstance(header, bool) else [Sentence("header_in_row", row=int(header))]
    if hidden:
        form.append(Sentence("hidden_left_out" if hidden == "skip" else "hidden_used"))
    said = Sentence("with_form", said=said, form=all_of(form)) if form else said
    said = _numbers_said(said, given)
    cleaned = [
        Sentence("cells_are", column=name_said(name), through=through_said(calls))
        for name, calls in given.get("clean", {}).items()
    ]
    return Sentence("cleaned_first", said=said, cells=all_of(cleaned)) if cleaned else said


def _report_of(given: Mapping[str, Any], path: KeyPath, manifest: Manifest) -> ReportLines:
    others = any(key in given for key in ("actions", "codes"))
    return ReportLines(
        folder=manifest.folder,
        name=given["file"],
        at=manifest.source((*path, "file")),
        outcomes=frozenset(given.get("outcomes", () if others else ("applied",))),
        actions=frozenset(given.get("actions", ())),
        codes=frozenset(given.get("codes", ())),
    )


def _report_said(given: Mapping[str, Any]) -> Sentence:
    wanted = []
    for key in [key for key in _OF_LINES if key in given] or ["outcomes"]:
        words = any_of(map(harmless, given.get(key, ["applied"])))
        wanted.append(_OF_LINES[key](words))
    return Sentence("of_report", file=name_said(given["file"]), wanted=all_of(wanted))


_OF_LINES: Mapping[str, Callable[[str], Sentence]] = {
    "outcomes": lambda words: Sentence("report_ended", words=words),
    "actions": lambda words: Sentence("report_planned_as", words=words),
    "codes": lambda words: Sentence("report_has_code", words=words),
}


# --- what only an environment can answer ---------------------------------------------------------


def _library_of(given: Any, path: KeyPath, manifest: Manifest) -> EnvironmentSelection:
    manifest.note(_foreign("library", given, manifest), path[:-1])
    return EnvironmentSelection(selects={"library": given}, at=manifest.source(path))


def _foreign(key: str, given: Any, manifest: Manifest) -> Iterator[Fault]:
    """Yield each library that is none of the job's; one alone stands at the key itself."""
    listed = isinstance(given, list)
    for number, sigel in enumerate(given if listed else [given]):
        if manifest.sigels and sigel not in manifest.sigels:
            yield Fault(
                Sentence("sigel_not_in_job", path=key, sigel=shown(sigel)),
                code="sigel_not_in_job",
                hint=Sentence("selects_own_libraries"),
                path=(key, number) if listed else (key,),
            )


def _library_said(given: Any) -> Sentence:
    named = [given] if isinstance(given, str) else given
    return Sentence("of_libraries", sigels=all_of(map(harmless, named)))


def _search_of(given: Mapping[str, Any], path: KeyPath, manifest: Manifest) -> EnvironmentSelection:
    return EnvironmentSelection(selects={"find": given}, at=manifest.source(path))


def _search_said(given: Mapping[str, Any]) -> Sentence:
    terms = [
        Sentence("equals", name=name_said(key), value=_term(value)) for key, value in given.items()
    ]
    return Sentence("search_finds", query=both(terms))


def _term(value: Any) -> str:
    return "|".join(map(_term, value)) if isinstance(value, list) else name_said(value)


def _find_faults(find: Mapping[str, Any], manifest: Manifest) -> Iterator[Fault]:
    try:
        references = list(references_of(parse_value(dict(find))))
    except Fault as fault:
        said = Sentence("at_path", path="find", message=fault.said)
        bad = Fault(said, code="bad_value", hint=fault.hint, path=fault.path, key=fault.key)
        yield bad.below("find")
        return
    for found in references:
        name = found.text.partition(".")[2]
        if found.origin is not Origin.PARAM:
            yield Fault(
                Sentence("search_reference", found=shown(found.text)),
                code="bad_value",
                hint=Sentence("search_reference_hint"),
                path=("find",),
            )
        elif name not in manifest.parameters:
            otherwise = Sentence("rules_declare_parameter")
            yield Fault(
                Sentence("search_parameter", name=shown(name)),
                code="unknown_parameter",
                hint=proposed(name, manifest.parameters, otherwise, prefix="@param."),
                path=("find",),
            )


def _index_faults(
    find: Mapping[str, Any], sigels: Sequence[Any], *, of_bibs: bool
) -> Iterator[Fault]:
    """Yield each condition that the index cannot answer: it selects wrongly, without a word."""
    named = libraries_named(find) or tuple(one for one in sigels if isinstance(one, str))
    library = named[0] if len(named) == 1 else f"[{', '.join(named)}]"
    for name, lacking in unindexed(find, of_bibs=of_bibs).items():
        hint = Sentence(
            "search_not_indexed_hint",
            library=harmless(library)[:200],
            condition=_where(parse_name(name), find[name]),
        )
        yield Fault(
            Sentence("search_not_indexed", name=shown(name), lacking=_lacking(lacking)),
            code="not_indexed",
            hint=hint if of_bibs or "@type" in find else Sentence("search_or_bibs", hint=hint),
            path=("find",),
            key=name,
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
    if not simple or not values or any(isinstance(one, dict) for one in values):
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


# What says which records are meant, by the key of a step.
SOURCES: Mapping[str, _Source] = {
    "ids": _Source(read=ids_of, said=_ids_said),
    "rows": _Source(read=_rows_of, said=_rows_said),
    "report": _Source(read=_report_of, said=_report_said),
    "find": _Source(read=_search_of, said=_search_said),
    "library": _Source(read=_library_of, said=_library_said),
}
