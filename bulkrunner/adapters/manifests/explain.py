"""Says in a sentence what each step of a manifest will do, and what bounds them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.explain_changes import (
    VERBS,
    change_said,
    condition_said,
    joined,
    name_said,
    place_said,
    record_said,
    test_said,
    through_said,
    value_said,
)
from bulkrunner.adapters.manifests.faults import harmless

_TRANSFERS = ("move", "repoint", "copy", "merge", "split", "revert")
_MAKES_HOLDINGS = ("create", "move", "repoint", "copy", "split")

_NUMBERS = {
    "bib": "numbers of bibs",
    "holding": "numbers of holdings",
    "libris3": "numbers of LIBRIS III",
    "isbn": "ISBN",
    "issn": "ISSN",
}

_CEILINGS = {"records": "change", "create": "create", "update": "update", "delete": "delete"}


def explained(data: Mapping[str, Any]) -> list[str]:
    """Return a sentence for the explicit operations, if any, one for every step, and the bounds.

    Args:
        data: a manifest that fits the schema, as read.
    """
    sigels = [str(sigel) for sigel in data.get("sigels", ())]
    said = [*_operations(data.get("operations"))]
    for number, step in enumerate(data.get("steps", ()), start=1):
        name = f" ({harmless(step['name'])})" if step.get("name") else ""
        missing = step.get("on_missing", data.get("on_missing"))
        said.append(f"Step {number}{name}: {_step(step, sigels, missing)}.")
    return [*said, *_bounds(data, sigels)]


def _operations(operations: Any) -> Iterator[str]:
    if isinstance(operations, dict):
        yield f"The operations in {name_said(operations['file'])} are carried out one by one."
    elif operations:
        kinds = Counter(
            next(kind for kind in ("create", "update", "delete") if kind in one)
            for one in operations
        )
        counted = joined(_counted(count, kind) for kind, count in kinds.items())
        yield f"Explicit operations are carried out one by one: {counted}."


def _bounds(data: Mapping[str, Any], sigels: Sequence[str]) -> Iterator[str]:
    if parameters := data.get("parameters"):
        yield f"Parameters: {joined(_parameter(*one) for one in parameters.items())}."
    if sigels:
        covers = (data.get("agreement") or {}).get("covers", ["holdings"])
        kinds = ("bibs and " if "bibs" in covers else "") + "holdings of "
        named = joined(map(harmless, sigels), "or")
        yield f"Only {kinds}{named} are written; any other record is refused, and reported."
    if ceilings := data.get("ceilings"):
        most = joined((_ceiling(*one) for one in ceilings.items()), "or")
        yield f"A plan with {most} cannot be run."
    for one in data.get("accept", ()):
        yield f"Up to {one['at_most']:,} refusals {one['code']} are accepted."


def _ceiling(key: str, most: int) -> str:
    what = _CEILINGS[key]
    return f"more than {_counted(most, what)}" if most else f"any {what}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _parameter(name: str, declared: Any) -> str:
    default = declared.get("default") if isinstance(declared, dict) else declared
    if default is None or (isinstance(declared, dict) and declared.get("required")):
        return f"{name}, which a plan must be given"
    return f"{name}, {value_said(default)} unless a plan is given another"


def _step(step: Mapping[str, Any], sigels: Sequence[str], missing: str | None) -> str:
    if "undo" in step:
        return f"what the job {name_said(step['undo']['job'])} changed is restored"
    said = _concerned(step, sigels)
    if where := step.get("where"):
        said += f", where {condition_said(where)} (others are passed over)"
    return f"{said}: {_action(step)}" + "".join(_guards(step, missing))


def _concerned(step: Mapping[str, Any], sigels: Sequence[str]) -> str:
    thing, rest = _selection(step)
    holdings = step.get("holdings")
    if holdings is None:
        on_bibs = "create" in step or (
            isinstance(step.get("function"), dict) and step["function"].get("on") == "bib"
        )
        return f"for every {'bib' if thing == 'id' and on_bibs else thing} {rest}"
    named = joined(map(harmless, holdings if isinstance(holdings, list) else sigels), "or")
    bib = "the bib of a row" if thing == "row" else "a bib"
    others = " (those of other libraries are reported)" if holdings == "all" else ""
    return f"for each holding of {named or 'the job'} on {bib} {rest}{others}"


def _guards(step: Mapping[str, Any], missing: str | None) -> Iterator[str]:
    if expect := _expect(step):
        wanted = " and ".join(
            f"{place_said(place)} {test_said(value)}" for place, value in expect.items()
        )
        yield f"; refused unless {wanted}"
    if any(verb in step for verb in _MAKES_HOLDINGS):
        skips = step.get("on_duplicate") == "skip"
        yield "; " + ("passed over" if skips else "refused")
        yield " where the library has a holding on the bib already"
    if step.get("on_several") == "all":
        yield "; where an input names several records, all are meant"
    if missing == "refuse":
        yield "; what does not exist is refused"


def _selection(step: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is selected, one by one, and which of them."""
    if "ids" in step:
        return "id", _ids(step["ids"])
    if "rows" in step:
        rows = step["rows"]
        column = f"by its column {name_said(str(rows['key']))}"
        form = f"{_form(rows)}{_numbers(rows)}{_cleaned(rows)}"
        return "row", f"of {name_said(rows['file'])}, {column}{form}"
    if "report" in step:
        return "record", _report(step["report"])
    if "library" in step:
        named = step["library"]
        named = [named] if isinstance(named, str) else named
        return "holding", f"of {joined(map(harmless, named))}"
    query = " and ".join(f"{name_said(key)}={_term(value)}" for key, value in step["find"].items())
    return "record", f"that the search {query} finds"


def _term(value: Any) -> str:
    return "|".join(map(_term, value)) if isinstance(value, list) else name_said(value)


def _ids(ids: Any) -> str:
    if isinstance(ids, dict):
        listed = ids.get("file", ids.get("list"))
        return _ids(listed) + _numbers(ids)
    if isinstance(ids, str):
        return f"in {name_said(ids)}"
    return f"of the {len(ids):,} in the manifest"


def _form(rows: Mapping[str, Any]) -> str:
    """Return what is said of where a table begins, and of its rows that are not shown."""
    header, hidden = rows.get("header", True), rows.get("hidden")
    said = [] if isinstance(header, bool) else [f"row {header} names its columns"]
    if hidden:
        done = "left out" if hidden == "skip" else "used like the others"
        said.append(f"rows hidden in the sheet are {done}")
    return f" ({joined(said)})" if said else ""


def _cleaned(rows: Mapping[str, Any]) -> str:
    said = [
        f"the cells of {name_said(name)} are {through_said(calls)}"
        for name, calls in rows.get("clean", {}).items()
    ]
    return f" ({joined(said)} first)" if said else ""


def _numbers(given: Mapping[str, Any]) -> str:
    kinds = given.get("as", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    said = joined((_NUMBERS[kind] for kind in kinds), "or")
    return f" (bare numbers are {said})" if kinds else ""


def _report(report: Mapping[str, Any]) -> str:
    wanted = []
    given = [key for key in ("outcomes", "actions", "codes") if key in report]
    for key in given or ["outcomes"]:
        words = {"outcomes": "ended", "actions": "was planned as", "codes": "has the code"}
        wanted.append(f"{words[key]} {joined(map(harmless, report.get(key, ['applied'])), 'or')}")
    return f"of the report {name_said(report['file'])} that {joined(wanted)}"


def _action(step: Mapping[str, Any]) -> str:
    if "function" in step:
        return _function(step["function"])
    if "delete" in step:
        return "it is deleted"
    if "create" in step:
        return _create(step["create"])
    if "example" in step:
        match, result = value_said(step["example"]["match"]), value_said(step["example"]["result"])
        return f"if it looks like {match}, that becomes {result}; if not, it is passed over"
    if step.get("resave") or step.get("update", {}).get("resave"):
        return "it is saved again as it is"
    if any(verb in step for verb in VERBS):
        return change_said(step)
    for verb in _TRANSFERS:
        if verb in step:
            return _transfer(verb, step[verb])
    changes = step.get("changes") or step.get("update", {}).get("changes", ())
    return "; then ".join(change_said(change) for change in changes)


def _function(called: Any) -> str:
    name = called if isinstance(called, str) else called["call"]
    module, _, function = name.partition(":")
    said = f"the function {harmless(function)} of {harmless(module)}.py decides what becomes of it"
    if isinstance(called, dict) and (files := called.get("files")):
        said += f", reading {joined(map(name_said, files))}"
    return said


def _create(create: Mapping[str, Any]) -> str:
    body = joined(map(harmless, create.get("body", {})))
    content = f" with {body}" if body else ""
    return f"{name_said(create.get('sigel'))} gets a new holding on it{content}"


def _transfer(verb: str, given: Mapping[str, Any]) -> str:
    match verb:
        case "move":
            return (
                f"it is created anew for {name_said(given['to'])}, components included, "
                "and then deleted here"
            )
        case "repoint":
            return f"it is hung on {record_said('bib', given['to'])}"
        case "copy":
            without = joined(map(place_said, given.get("without", ())), "or")
            return f"a copy of it is created{_elsewhere(given)}" + (
                f", without {without}" if without else ""
            )
        case "merge":
            taken = joined(map(place_said, given["take"]))
            return (
                f"its {taken} are added to {_into(given['into'])}, unless "
                "they are there; when that is saved it is deleted"
            )
        case "split":
            which = condition_said(given["components"])
            return (
                f"its components where {which} become a holding of their own{_elsewhere(given)}; "
                "when that is saved they are taken away here"
            )
    return _revert(given)


def _into(into: Any) -> str:
    if isinstance(into, dict) and "holding_of" in into:
        return f"the holding of {name_said(into['holding_of'])} on the same bib"
    return record_said("holding", into)


def _revert(given: Mapping[str, Any]) -> str:
    if "before" in given:
        return f"it gets back what it was before {name_said(given['before'])}"
    if "before_edit_by" in given:
        since = f" since {name_said(given['since'])}" if "since" in given else ""
        return f"it gets back what it was before the first edit by {name_said(given['before_edit_by'])}{since}"
    if "version" not in given:
        job = name_said(given["before_run_of"]["job"])
        return f"it gets back what it was before the job {job} changed it"
    named = {-2: "the version before the newest", 0: "its first version"}
    version = named.get(given["version"], f"version {given['version']}")
    return f"it gets back the content of {version}"


def _elsewhere(given: Mapping[str, Any]) -> str:
    library = f" for {name_said(given['sigel'])}" if "sigel" in given else ""
    return library + (f" on {record_said('bib', given['of'])}" if "of" in given else "")


def _expect(step: Mapping[str, Any]) -> Mapping[str, Any]:
    for inner in (step, step.get("update"), step.get("delete")):
        if isinstance(inner, dict) and inner.get("expect"):
            found: Mapping[str, Any] = inner["expect"]
            return found
    return {}
