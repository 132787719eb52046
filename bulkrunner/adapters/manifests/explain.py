"""Says in a sentence what each step of a manifest will do, and what bounds them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.verbs import VERBS, change_said
from bulkrunner.domain.expressions.wording import (
    all_of,
    any_of,
    bib_said,
    both,
    condition_said,
    holding_said,
    name_said,
    place_said,
    test_said,
    then,
    through_said,
    value_said,
)
from bulkrunner.domain.text import harmless
from bulkrunner.sentences import Sentence, verbatim

_TRANSFERS = ("move", "repoint", "copy", "merge", "split", "revert")
_MAKES_HOLDINGS = ("create", "move", "repoint", "copy", "split")

_NUMBERS = {
    "bib": Sentence("numbers_of_bibs"),
    "holding": Sentence("numbers_of_holdings"),
    "libris3": Sentence("numbers_of_libris3"),
    "isbn": verbatim("ISBN"),
    "issn": verbatim("ISSN"),
}


def explained(data: Mapping[str, Any]) -> list[Sentence]:
    """Return a sentence for the explicit operations, if any, one for every step, and the bounds.

    Args:
        data: a manifest that fits the schema, as read.
    """
    sigels = [str(sigel) for sigel in data.get("sigels", ())]
    said = [*_operations(data.get("operations"))]
    for number, step in enumerate(data.get("steps", ()), start=1):
        does = _step(step, sigels, step.get("on_missing", data.get("on_missing")))
        if step.get("name"):
            name = harmless(step["name"])
            said.append(Sentence("step_named", number=number, name=name, does=does))
        else:
            said.append(Sentence("step", number=number, does=does))
    return [*said, *_bounds(data, sigels)]


def _operations(operations: Any) -> Iterator[Sentence]:
    if isinstance(operations, dict):
        yield Sentence("operations_in_file", file=name_said(operations["file"]))
    elif operations:
        kinds = Counter(
            next(kind for kind in ("create", "update", "delete") if kind in one)
            for one in operations
        )
        counted = all_of(_operations_counted(kind, count) for kind, count in kinds.items())
        yield Sentence("operations_counted", counted=counted)


def _operations_counted(kind: str, count: int) -> Sentence:
    match kind:
        case "create":
            return Sentence("creates_counted", n=count)
        case "update":
            return Sentence("updates_counted", n=count)
        case "delete":
            return Sentence("deletes_counted", n=count)
    return Sentence("changes_counted", n=count)


def _bounds(data: Mapping[str, Any], sigels: Sequence[str]) -> Iterator[Sentence]:
    if parameters := data.get("parameters"):
        yield Sentence(
            "parameters_are", parameters=all_of(_parameter(*one) for one in parameters.items())
        )
    if sigels:
        covers = (data.get("agreement") or {}).get("covers", ["holdings"])
        named = any_of(map(harmless, sigels))
        both_kinds = "bibs" in covers
        yield Sentence("only_bibs_and_holdings" if both_kinds else "only_holdings", sigels=named)
    if ceilings := data.get("ceilings"):
        yield Sentence("ceilings_are", most=any_of(_ceiling(*one) for one in ceilings.items()))
    for one in data.get("accept", ()):
        yield Sentence("refusals_accepted", most=one["at_most"], code=one["code"])


def _ceiling(key: str, most: int) -> Sentence:
    if most:
        return Sentence("more_than", counted=_operations_counted(key, most))
    match key:
        case "create":
            return Sentence("any_create")
        case "update":
            return Sentence("any_update")
        case "delete":
            return Sentence("any_delete")
    return Sentence("any_change")


def _parameter(name: str, declared: Any) -> Sentence:
    default = declared.get("default") if isinstance(declared, dict) else declared
    if default is None or (isinstance(declared, dict) and declared.get("required")):
        return Sentence("parameter_demanded", name=name)
    return Sentence("parameter_with_default", name=name, default=value_said(default))


def _step(step: Mapping[str, Any], sigels: Sequence[str], missing: str | None) -> Sentence:
    if "undo" in step:
        return Sentence("step_undo", job=name_said(step["undo"]["job"]))
    said = _concerned(step, sigels)
    if where := step.get("where"):
        said = Sentence("step_where", said=said, condition=condition_said(where))
    said = Sentence("step_does", concerned=said, action=_action(step))
    guards = tuple(_guards(step, missing))
    return Sentence("listed_apart", parts=(said, *guards)) if guards else said


def _concerned(step: Mapping[str, Any], sigels: Sequence[str]) -> Sentence:
    holdings = step.get("holdings")
    if holdings is None:
        return Sentence("for_every", selected=_selected(step))
    listed = [harmless(one) for one in (holdings if isinstance(holdings, list) else sigels)]
    named = any_of(listed) if listed else Sentence("the_job")
    on = Sentence("on_row" if "rows" in step else "on_bib", rest=_which(step))
    said = Sentence("for_each_holding", of=named, on=on)
    return Sentence("others_reported", said=said) if holdings == "all" else said


def _selected(step: Mapping[str, Any]) -> Sentence:
    """Return what is selected, one by one, and which of them."""
    rest = _which(step)
    if "ids" in step:
        function = step.get("function")
        on_bibs = isinstance(function, dict) and function.get("on") == "bib"
        is_bib = "create" in step or on_bibs
        return Sentence("selected_bib" if is_bib else "selected_id", rest=rest)
    if "rows" in step:
        return Sentence("selected_row", rest=rest)
    return Sentence("selected_holding" if _is_library(step) else "selected_record", rest=rest)


def _is_library(step: Mapping[str, Any]) -> bool:
    return "library" in step and "report" not in step


def _which(step: Mapping[str, Any]) -> Sentence:
    if "ids" in step:
        return _ids(step["ids"])
    if "rows" in step:
        rows = step["rows"]
        said = Sentence("rows_of", file=name_said(rows["file"]), column=name_said(str(rows["key"])))
        return _cleaned(_numbers(_form(said, rows), rows), rows)
    if "report" in step:
        return _report(step["report"])
    if "library" in step:
        named = step["library"]
        named = [named] if isinstance(named, str) else named
        return Sentence("of_libraries", sigels=all_of(map(harmless, named)))
    terms = [
        Sentence("equals", name=name_said(key), value=_term(value))
        for key, value in step["find"].items()
    ]
    return Sentence("search_finds", query=both(terms))


def _term(value: Any) -> str:
    return "|".join(map(_term, value)) if isinstance(value, list) else name_said(value)


def _ids(ids: Any) -> Sentence:
    if isinstance(ids, dict):
        return _numbers(_ids(ids.get("file", ids.get("list"))), ids)
    if isinstance(ids, str):
        return Sentence("ids_in", file=name_said(ids))
    return Sentence("ids_in_manifest", count=len(ids))


def _form(said: Sentence, rows: Mapping[str, Any]) -> Sentence:
    """Add where a table begins, and what becomes of its rows that are not shown."""
    header, hidden = rows.get("header", True), rows.get("hidden")
    more = [] if isinstance(header, bool) else [Sentence("header_in_row", row=header)]
    if hidden:
        more.append(Sentence("hidden_left_out" if hidden == "skip" else "hidden_used"))
    return Sentence("with_form", said=said, form=all_of(more)) if more else said


def _cleaned(said: Sentence, rows: Mapping[str, Any]) -> Sentence:
    cleaned = [
        Sentence("cells_are", column=name_said(name), through=through_said(calls))
        for name, calls in rows.get("clean", {}).items()
    ]
    return Sentence("cleaned_first", said=said, cells=all_of(cleaned)) if cleaned else said


def _numbers(said: Sentence, given: Mapping[str, Any]) -> Sentence:
    kinds = given.get("as", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds:
        return said
    return Sentence("bare_numbers", said=said, kinds=any_of(_NUMBERS[kind] for kind in kinds))


def _report(report: Mapping[str, Any]) -> Sentence:
    given = [key for key in ("outcomes", "actions", "codes") if key in report] or ["outcomes"]
    wanted = []
    for key in given:
        words = any_of(map(harmless, report.get(key, ["applied"])))
        match key:
            case "outcomes":
                wanted.append(Sentence("report_ended", words=words))
            case "actions":
                wanted.append(Sentence("report_planned_as", words=words))
            case _:
                wanted.append(Sentence("report_has_code", words=words))
    return Sentence("of_report", file=name_said(report["file"]), wanted=all_of(wanted))


def _guards(step: Mapping[str, Any], missing: str | None) -> Iterator[Sentence]:
    if expect := _expect(step):
        wanted = both(
            Sentence("place_test", place=place_said(place), test=test_said(value))
            for place, value in expect.items()
        )
        yield Sentence("refused_unless", wanted=wanted)
    if any(verb in step for verb in _MAKES_HOLDINGS):
        skips = step.get("on_duplicate") == "skip"
        yield Sentence("duplicates_passed_over" if skips else "duplicates_refused")
    if step.get("on_several") == "all":
        yield Sentence("several_meant")
    if missing == "refuse":
        yield Sentence("missing_refused")


def _action(step: Mapping[str, Any]) -> Sentence:
    if "function" in step:
        return _function(step["function"])
    if "delete" in step:
        return Sentence("does_delete")
    if "create" in step:
        return _create(step["create"])
    if "example" in step:
        return ExampleChange.said(step["example"])
    if step.get("resave") or step.get("update", {}).get("resave"):
        return Sentence("does_resave")
    if any(verb in step for verb in VERBS):
        return change_said(step)
    for verb in _TRANSFERS:
        if verb in step:
            return _transfer(verb, step[verb])
    changes = step.get("changes") or step.get("update", {}).get("changes", ())
    return then(change_said(change) for change in changes)


def _function(called: Any) -> Sentence:
    name = called if isinstance(called, str) else called["call"]
    module, _, function = name.partition(":")
    said = Sentence("does_function", function=harmless(function), module=harmless(module))
    if isinstance(called, dict) and (files := called.get("files")):
        return Sentence("does_function_reading", said=said, files=all_of(map(name_said, files)))
    return said


def _create(create: Mapping[str, Any]) -> Sentence:
    sigel = name_said(create.get("sigel"))
    if body := create.get("body"):
        return Sentence("does_create_with", sigel=sigel, body=all_of(map(harmless, body)))
    return Sentence("does_create", sigel=sigel)


def _transfer(verb: str, given: Mapping[str, Any]) -> Sentence:
    match verb:
        case "move":
            return Sentence("does_move", to=name_said(given["to"]))
        case "repoint":
            return Sentence("does_repoint", bib=bib_said(given["to"]))
        case "copy":
            said = Sentence("does_copy", elsewhere=_elsewhere(given))
            if without := given.get("without"):
                return Sentence("copy_without", said=said, places=any_of(map(place_said, without)))
            return said
        case "merge":
            taken = all_of(map(place_said, given["take"]))
            return Sentence("does_merge", taken=taken, into=_into(given["into"]))
        case "split":
            return Sentence(
                "does_split",
                condition=condition_said(given["components"]),
                elsewhere=_elsewhere(given),
            )
    return _revert(given)


def _into(into: Any) -> Sentence:
    if isinstance(into, dict) and "holding_of" in into:
        return Sentence("holding_on_same_bib", sigel=name_said(into["holding_of"]))
    return holding_said(into)


def _revert(given: Mapping[str, Any]) -> Sentence:
    if "before" in given:
        return Sentence("does_revert_before", before=name_said(given["before"]))
    if "before_edit_by" in given:
        by = name_said(given["before_edit_by"])
        if "since" in given:
            return Sentence("does_revert_edit_since", by=by, since=name_said(given["since"]))
        return Sentence("does_revert_edit", by=by)
    if "version" not in given:
        return Sentence("does_revert_job", job=name_said(given["before_run_of"]["job"]))
    match given["version"]:
        case -2:
            return Sentence("does_revert_newest")
        case 0:
            return Sentence("does_revert_first")
    return Sentence("does_revert_version", version=str(given["version"]))


def _elsewhere(given: Mapping[str, Any]) -> Sentence:
    if "sigel" not in given:
        return Sentence("elsewhere_on", bib=bib_said(given["of"]))
    sigel = name_said(given["sigel"])
    if "of" in given:
        return Sentence("elsewhere_for_on", sigel=sigel, bib=bib_said(given["of"]))
    return Sentence("elsewhere_for", sigel=sigel)


def _expect(step: Mapping[str, Any]) -> Mapping[str, Any]:
    for inner in (step, step.get("update"), step.get("delete")):
        if isinstance(inner, dict) and inner.get("expect"):
            found: Mapping[str, Any] = inner["expect"]
            return found
    return {}
