"""Says in a sentence what each step of a manifest will do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.problems import harmless

MOST = 120
"""Characters of a value that are shown."""

_TESTS = {
    "equals": "is",
    "in": "is one of",
    "in_file": "is in the file",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches",
    "before": "is before",
    "after": "is after",
}

_SCOPES = {
    "components": "in every component",
    "item_and_components": "on the item and in every component",
    "each_place": "where the shelf data is, on the item or in its components",
    "anywhere": "anywhere in the record",
    "record": "in the record part",
}

_VERBS = (
    "set",
    "remove",
    "append",
    "remove_items",
    "replace_value",
    "replace_text",
    "move_value",
    "retype",
)


_TRANSFERS = ("move", "repoint", "copy", "merge", "split", "revert")


def explained(data: Mapping[str, Any]) -> list[str]:
    """Return one sentence for the explicit operations, if any, and one for every step.

    Args:
        data: a manifest that fits the schema, as read.
    """
    said = []
    operations = data.get("operations")
    if isinstance(operations, dict):
        said.append(f"The operations in {operations['file']} are carried out one by one.")
    elif operations:
        said.append(f"{len(operations):,} explicit operations are carried out one by one.")
    for number, step in enumerate(data.get("steps", ()), start=1):
        name = f" ({harmless(step['name'])})" if step.get("name") else ""
        said.append(f"Step {number}{name}: {_step(step)}.")
    return said


def _step(step: Mapping[str, Any]) -> str:
    if "undo" in step:
        return f"what the job {step['undo']['job']} changed is restored"
    parts = [_selection(step)]
    if holdings := step.get("holdings"):
        whose = {"own": "the job's libraries", "all": "the job's libraries; others are reported"}
        named = whose[holdings] if isinstance(holdings, str) else ", ".join(holdings)
        parts.append(f"the holdings on it of {named}")
    if where := step.get("where"):
        parts.append(f"where {_condition(where)} (others are passed over)")
    sentence = ", ".join(parts) + ": " + _action(step)
    if expect := _expect(step):
        wanted = " and ".join(f"{place} {_test(value)}" for place, value in expect.items())
        sentence += f"; refused unless {wanted}"
    if step.get("on_duplicate") == "skip":
        sentence += "; passed over where the library has a holding already"
    return sentence


def _selection(step: Mapping[str, Any]) -> str:
    if "ids" in step:
        ids = step["ids"]
        if isinstance(ids, dict):
            ids = ids.get("file", ids.get("list"))
        return f"for every id in {ids}" if isinstance(ids, str) else f"for {len(ids):,} ids"
    if "rows" in step:
        return f"for every row of {step['rows']['file']}, by its column {step['rows']['key']}"
    if "report" in step:
        ended = " or ".join(step["report"].get("outcomes", ["applied"]))
        return f"for every record of the report {step['report']['file']} that ended {ended}"
    if "library" in step:
        named = step["library"]
        return f"for every holding of {named if isinstance(named, str) else ', '.join(named)}"
    query = " and ".join(f"{key}={_value(value)}" for key, value in step["find"].items())
    return f"for every record that the search {query} finds"


def _action(step: Mapping[str, Any]) -> str:
    if "function" in step:
        called = step["function"]
        name = called if isinstance(called, str) else called["call"]
        return f"the function {name} of the job folder decides"
    if "delete" in step:
        return "it is deleted"
    if "create" in step:
        return f"{_value(step['create'].get('sigel'))} gets a new holding on it"
    if "example" in step:
        match, result = _value(step["example"]["match"]), _value(step["example"]["result"])
        return f"what looks like {match} becomes {result}"
    if step.get("resave") or step.get("update", {}).get("resave"):
        return "it is saved again as it is"
    if any(verb in step for verb in _VERBS):
        return _change(step)
    for verb in _TRANSFERS:
        if verb in step:
            return _transfer(verb, step[verb])
    changes = step.get("changes") or step.get("update", {}).get("changes", ())
    return "; then ".join(_change(change) for change in changes)


def _transfer(verb: str, given: Mapping[str, Any]) -> str:
    match verb:
        case "move":
            return f"it is created anew for {_value(given['to'])}, then deleted"
        case "repoint":
            return f"it is hung on the bib {_value(given['to'])}"
        case "copy":
            return f"a copy of it is created{_elsewhere(given)}"
        case "merge":
            taken = ", ".join(given["take"])
            return f"its {taken} are added to {_value(given['into'])}, then it is deleted"
        case "split":
            which = _condition(given["components"])
            return f"its components where {which} become a holding of their own{_elsewhere(given)}"
    if "version" in given:
        return f"it gets back the content of version {given['version']}"
    return f"it gets back the content from before the job {given['before_run_of']['job']}"


def _elsewhere(given: Mapping[str, Any]) -> str:
    library = f" for {_value(given['sigel'])}" if "sigel" in given else ""
    return library + (f" on the bib {_value(given['of'])}" if "of" in given else "")


def _change(change: Mapping[str, Any]) -> str:
    verb = next((verb for verb in _VERBS if verb in change), None)
    if verb is None:
        return _value(change)
    said = _verb(verb, change[verb])
    if scope := change.get("in"):
        said += " " + (_SCOPES.get(scope, "") if isinstance(scope, str) else f"in {_value(scope)}")
    if when := change.get("when"):
        said += f", when {_condition(when)}"
    return said


def _verb(verb: str, given: Mapping[str, Any]) -> str:
    at = given.get("at", "")
    match verb:
        case "set":
            return f"{at} becomes {_value(given['to'])}"
        case "remove":
            return f"{at} is removed"
        case "append":
            return f"{at} gets {_value(given['value'])}, unless it is there"
        case "remove_items":
            return f"of {at} those are removed that match {_value(given['matching'])}"
        case "replace_value":
            return f"the values of {at} are replaced by a table"
        case "replace_text":
            what = given.get("find", given.get("pattern"))
            return f"in {at} the text {_value(what)} becomes {_value(given.get('with', ''))}"
        case "move_value":
            return f"{given['from']} is moved to {given['to']}"
        case _:
            return f"the type of {at} becomes {given['to']}"


def _expect(step: Mapping[str, Any]) -> Mapping[str, Any]:
    for inner in (step, step.get("update"), step.get("delete")):
        if isinstance(inner, dict) and inner.get("expect"):
            found: Mapping[str, Any] = inner["expect"]
            return found
    return {}


def _condition(where: Any) -> str:
    if not isinstance(where, dict):
        return _value(where)
    return " and ".join(_clause(key, value) for key, value in where.items())


def _clause(key: str, value: Any) -> str:
    match key:
        case "all" | "any" if isinstance(value, list):
            return "(" + _joined(value, " and " if key == "all" else " or ") + ")"
        case "not":
            return f"not ({_condition(value)})"
        case _:
            return f"{harmless(key)} {_test(value)}"


def _joined(conditions: Sequence[Any], word: str) -> str:
    return word.join(_condition(one) for one in conditions)


def _test(value: Any) -> str:
    if value is None:
        return "is absent"
    if isinstance(value, dict) and set(value) <= {*_TESTS, "exists"} and value:
        return " and ".join(_tests(value))
    return f"is {_value(value)}"


def _tests(value: Mapping[str, Any]) -> Iterable[str]:
    for name, wanted in value.items():
        if name == "exists":
            yield "is there" if wanted else "is absent"
        else:
            yield f"{_TESTS[name]} {_value(wanted)}"


def _value(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"$value"}:
        return str(value["$value"])
    text = json.dumps(value, ensure_ascii=False)
    return harmless(text if len(text) <= MOST else text[:MOST] + "…")
