"""What does not fit the manifest's schema, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from bulkrunner.adapters.manifests.job_schema import Violation, schema, unique_key
from bulkrunner.adapters.manifests.problems import PathKey, path_text, shown
from bulkrunner.domain.expressions import nearest, proposal
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence


def belongs(name: str, path: Sequence[PathKey]) -> str:
    """Return where the key belongs, as a hint; empty where it belongs nowhere."""
    match list(path):
        case []:
            if name in _keys("step"):
                return Sentence("schema_belongs_step_below_steps", name=name)
        case ["steps", int()]:
            if name in schema()["properties"]:
                return Sentence("schema_belongs_manifest_first_column", name=name)
        case ["steps", int(), *_, verb] if name in _keys("step"):
            return Sentence("schema_one_level_out", name=name, verb=verb)
        case ["operations", int()] if name in _keys("change"):
            return Sentence("schema_changes_are_a_list", form=f"changes: [{{{name}: …}}]")
        case ["operations", int(), "changes", int()] if name in _keys("stepChange"):
            return Sentence("schema_for_steps", name=name)
    return ""


@cache
def _keys(definition: str) -> frozenset[str]:
    return frozenset(schema()["$defs"][definition]["properties"])


_TYPES = {
    "string": Sentence("kind_text"),
    "object": Sentence("kind_object"),
    "array": Sentence("kind_list"),
    "integer": Sentence("kind_whole"),
    "number": Sentence("kind_number"),
    "boolean": Sentence("kind_truth"),
    "null": Sentence("kind_empty"),
}

# What the schema itself says of its rules, by its English.
_SAID: Mapping[str, Sentence] = {
    str(said): said
    for said in (
        Sentence("schema_nothing_to_do"),
        Sentence("schema_job_id"),
        Sentence("schema_sigel"),
        Sentence("schema_date"),
        Sentence("schema_code"),
        Sentence("schema_parameter_name"),
        Sentence("schema_change"),
        Sentence("schema_update"),
        Sentence("schema_operation"),
        Sentence("schema_ids"),
        Sentence("schema_step_update"),
        Sentence("schema_effect_digest"),
        Sentence("schema_step"),
        Sentence("schema_expect_twice"),
        Sentence("schema_undo"),
        Sentence("schema_selection"),
        Sentence("schema_in_and_when"),
        Sentence("schema_columns"),
        Sentence("schema_own_names"),
        Sentence("schema_libraries"),
        Sentence("schema_function"),
        Sentence("schema_find_or_pattern"),
        Sentence("schema_step_change"),
        Sentence("schema_copy"),
        Sentence("schema_split"),
        Sentence("schema_revert"),
        Sentence("schema_version"),
    )
}


def _rule_said(rule: Mapping[str, Any], otherwise: Sentence) -> Sentence:
    """Return what the schema says of a rule."""
    said = rule.get("errorMessage")
    return _SAID[said] if said is not None else otherwise


def tell(found: Violation, root: Any, prefix: Sequence[PathKey] = ()) -> Iterator[Fault]:
    """Yield what is wrong."""
    value = _at(root, found.path)
    full = (*prefix, *found.path)
    match found.keyword:
        case "additionalProperties":
            for name in found.names:
                yield _unknown(found, name, value, full)
        case "required":
            name = found.names[0]
            yield Fault(
                _missing(name, full),
                code="missing_key",
                hint=_misspelt(value, name, found.rule),
                path=found.path,
            )
        case "propertyNames":
            yield from _names(found, value, full)
        case "oneOf" | "anyOf":
            yield _choice(found, value, full)
        case _:
            message, hint = _value(found, value)
            code = "wrong_type" if found.keyword == "type" else "wrong_value"
            where = path_text(full)
            yield Fault(_at_path(where, message), code=code, hint=hint, path=found.path)


def _unknown(found: Violation, name: str, value: Any, full: Sequence[PathKey]) -> Fault:
    known = list(found.rule.get("properties", {}))
    word = nearest(name, known) or _only_missing(found.rule, value)
    hint = proposal(name, word) if word else belongs(name, full)
    said = (
        Sentence("unknown_key_in", name=shown(name), path=path_text(full))
        if full
        else Sentence("unknown_key", name=shown(name))
    )
    return Fault(
        said,
        code="unknown_key",
        hint=hint or Sentence("schema_known_here", known=", ".join(known)),
        path=found.path,
        key=name,
    )


def _missing(name: str, path: Sequence[PathKey]) -> Sentence:
    if path:
        return Sentence("missing_key_in", name=name, path=path_text(path))
    return Sentence("missing_key", name=name)


def _at_path(path: str, message: Sentence) -> Sentence:
    return Sentence("at_path", path=path, message=message) if path else message


def _misspelt(value: Any, name: str, rule: dict[str, Any]) -> str:
    known = rule.get("properties", {})
    strange = [key for key in value if key not in known] if isinstance(value, dict) else []
    near = nearest(name, strange) if known else ""
    if not near and len(strange) == 1 and _only_missing(rule, value) == name:
        near = strange[0]
    return Sentence("schema_meant", name=shown(near), word=name) if near else ""


def _only_missing(rule: dict[str, Any], value: Any) -> str:
    """Return the one required key that is missing where one other key is unknown, if so."""
    missing = [name for name in rule.get("required", ()) if name not in value]
    strange = [name for name in value if name not in rule.get("properties", {})]
    return missing[0] if len(missing) == len(strange) == 1 else ""


def _names(found: Violation, value: Any, full: Sequence[PathKey]) -> Iterator[Fault]:
    rule = found.rule["propertyNames"]
    forbidden = rule.get("not", {}).get("enum", [])
    for name in value:
        if name in forbidden:
            yield Fault(
                _forbidden(name, full),
                code="forbidden_key",
                hint=Sentence("leave_out"),
                path=found.path,
                key=name,
            )
    if not forbidden:
        said = _rule_said(rule, Sentence("schema_name"))
        yield Fault(
            Sentence("at_path", path=path_text(full), message=said),
            code="wrong_value",
            path=found.path,
        )


def _forbidden(name: str, path: Sequence[PathKey]) -> Sentence:
    if path:
        return Sentence("forbidden_key_in", name=name, path=path_text(path))
    return Sentence("forbidden_key", name=name)


def _choice(found: Violation, value: Any, full: Sequence[PathKey]) -> Fault:
    options = [name for rule in found.rule[found.keyword] for name in rule["required"]]
    given = [name for name in options if name in value]
    message = _rule_said(found.rule, Sentence("schema_one_of", options=", ".join(options)))
    hint = Sentence("schema_given", given=", ".join(given)) if given else None
    for name in value:
        if not given and name not in options and (word := nearest(name, options)):
            hint = Sentence("schema_meant", name=shown(name), word=word)
    if not hint and len(full) == 2 and full[0] == "steps":
        hint = Sentence("schema_dash")
    where = path_text(full)
    return Fault(
        _at_path(where, message),
        code="wrong_choice" if given else "missing_key",
        hint=hint or "",
        path=found.path,
    )


def _value(found: Violation, value: Any) -> tuple[Sentence, str]:
    rule = found.rule
    match found.keyword:
        case "type":
            return _type(rule, value)
        case "enum" | "const":
            message, hint = _allowed(rule.get("enum", [rule.get("const")]), value)
            return message, hint or _SAID.get(rule.get("errorMessage", ""), "")
        case "minLength" | "minItems" | "minProperties":
            return Sentence("schema_empty"), ""
        case "maxLength":
            return Sentence("schema_too_long", most=rule["maxLength"]), ""
        case "maxItems":
            return Sentence("schema_many_items", most=rule["maxItems"]), ""
        case "minimum":
            return Sentence("schema_least", value=shown(value), least=rule["minimum"]), ""
        case "exclusiveMinimum":
            return Sentence(
                "schema_more_than", value=shown(value), least=rule["exclusiveMinimum"]
            ), ""
        case "maximum":
            return Sentence("schema_most", value=shown(value), most=rule["maximum"]), ""
        case "uniqueItems":
            return Sentence("schema_repeated", value=shown(_repeated(value))), ""
        case _:
            said = _rule_said(rule, Sentence("schema_blank"))
            return (_at_path(shown(value), said) if isinstance(value, str) else said), ""


def _type(rule: dict[str, Any], value: Any) -> tuple[Sentence, str]:
    wanted = rule["type"]
    types = [wanted] if isinstance(wanted, str) else wanted
    message = Sentence(
        "must_be_not", wanted=_either([_TYPES[name] for name in types]), found=_kind(value)
    )
    return message, _type_hint(types, value) or _example_hint(types, rule)


def _type_hint(types: Sequence[str], value: Any) -> str:
    if value is None:
        return Sentence("schema_nothing_after_colon")
    if "string" in types and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Sentence("yaml_quote_it")
    if isinstance(value, str) and ("integer" in types or "number" in types):
        return Sentence("schema_write_number")
    if isinstance(value, str) and "boolean" in types:
        return Sentence("schema_write_truth")
    if types == ["array"] and isinstance(value, str) and value.isprintable():
        return Sentence("schema_write_list", value=value[:40])
    if types == ["array"] and isinstance(value, dict):
        return Sentence("schema_write_items")
    return ""


def _example_hint(types: Sequence[str], rule: dict[str, Any]) -> str:
    kind = dict if "object" in types else str
    examples = [one for one in rule.get("examples", ()) if isinstance(one, kind)]
    if not examples or not {"object", "string"} & set(types):
        return ""
    one = examples[0]
    written = one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
    return Sentence("schema_example", written=written)


def _either(said: Sequence[Sentence]) -> Sentence:
    """Return ``a or b or c``."""
    first, *rest = said
    return Sentence("either", one=first, other=_either(rest)) if rest else first


def _kind(value: Any) -> Sentence:
    if value is None:
        return Sentence("kind_empty")
    return Sentence("the_text", text=shown(value)) if isinstance(value, str) else shown(value)


def _allowed(options: list[Any], value: Any) -> tuple[Sentence, str]:
    wanted = _either([shown(option) for option in options])
    message = Sentence("is_must_be", found=_kind(value), wanted=wanted)
    if options == [True]:
        return message, Sentence("schema_write_true")
    if not isinstance(value, str):
        return message, ""
    for option in options:
        if not isinstance(option, str) and json.dumps(option) == value.strip().lower():
            return message, Sentence("schema_write_word", word=json.dumps(option))
    word = nearest(value, [option for option in options if isinstance(option, str)])
    return message, proposal(value, word) if word else ""


def _repeated(value: list[Any]) -> Any:
    seen: set[str] = set()
    for item in value:
        if (key := unique_key(item)) in seen:
            return item
        seen.add(key)
    return value


def _at(value: Any, path: Sequence[PathKey]) -> Any:
    for part in path:
        value = value[part]
    return value
