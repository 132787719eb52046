"""Steps as written, turned into the domain's and into what digests are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bulkrunner.adapters.manifests.faults import PathKey, meant, path_text, shown
from bulkrunner.adapters.manifests.schema import Told
from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.change import Change, demand_kept_at
from bulkrunner.domain.changes.verbs import VERBS, parse_change
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.conditions import (
    All,
    Condition,
    condition_data,
    condition_references,
)
from bulkrunner.domain.expressions.expectations import (
    expected_data,
    expected_references,
    parse_expected,
)
from bulkrunner.domain.expressions.parsing import FormError, Outside, proposal
from bulkrunner.domain.expressions.references import Origin, Reference
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import references_of, written
from bulkrunner.domain.functions import FunctionSource
from bulkrunner.domain.manifest import Source
from bulkrunner.domain.places import PlaceError, parse_place
from bulkrunner.domain.steps import (
    Step,
    StepAction,
    StepCopy,
    StepCreate,
    StepDelete,
    StepFunction,
    StepMerge,
    StepMove,
    StepRepoint,
    StepRevert,
    StepSplit,
    StepUpdate,
)
from bulkrunner.sentences import Sentence

Path = tuple[PathKey, ...]

T = TypeVar("T")

TRANSFERS = frozenset({"move", "repoint", "copy", "merge", "split"})

TRANSFER_VALUES = frozenset({"to", "into", "sigel", "of"})

"""Keys of these that hold values."""

REVERT_VALUES = frozenset({"before", "before_edit_by", "since"})

SCOPE = ("in", "when")

"""Keys that stand beside a verb, in a change or in the step itself."""


@dataclass(kw_only=True)
class Forms:
    """What a step says in conditions, values and changes, read.

    Attributes:
        expect: by place; create: ``sigel``, ``body`` and ``record``.
        transfer: of a move, copy and so on, by key. components: that a split takes.
        told: what is wrong, with the path from the step.
        references: with the path of the condition, value or change that holds them.
    """

    where: Condition | None = None
    expect: dict[str, Any] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    create: dict[str, Any] = field(default_factory=dict)
    transfer: dict[str, Any] = field(default_factory=dict)
    components: Condition | None = None
    told: list[Told] = field(default_factory=list)
    references: list[tuple[Reference, Path]] = field(default_factory=list)

    @property
    def columns(self) -> dict[str, Path]:
        """Return the columns of the row that are referred to, each with the first path."""
        found: dict[str, Path] = {}
        for ref, path in self.references:
            if ref.origin is Origin.ROW:
                found.setdefault(ref.name, path)
        return found


def read_forms(
    step: Mapping[str, Any], outside: Outside, parameters: Mapping[str, Any], *, prefix: Path
) -> Forms:
    """Read a step that fits the schema.

    Args:
        step: as written.
        outside: compiles expressions, reads files.
        parameters: those that the manifest declares, by name.
        prefix: the step's path in the manifest, for the words.
    """
    reader = _Reader(outside, prefix)
    reader.read(step)
    reader.check_references(step, parameters)
    return reader.forms


class _Reader:
    def __init__(self, outside: Outside, prefix: Path) -> None:
        self._outside = outside
        self._prefix = prefix
        self.forms = Forms()

    def read(self, step: Mapping[str, Any]) -> None:
        """Read every form of the step."""
        if "where" in step:
            data = step["where"]
            read = partial(parse_condition, data, self._outside)
            self.forms.where = self._part(("where",), data, read, condition_references)
        for path, data in _changes(step):
            self._change(path, data, partial(parse_change, data, self._outside))
        if "example" in step:
            self._change(
                ("example",), step["example"], partial(ExampleChange.parse, step["example"])
            )
        for path, data in _expectations(step):
            self._expect(path, data)
        for key, value in step.get("create", {}).items():
            if key != "creates":
                self.forms.create[key] = self._value(("create", key), value)
            if key in ("body", "record") and isinstance(value, dict):
                self._content(("create", key), "@record." if key == "record" else "", value)
        self._transfer(step)

    def _transfer(self, step: Mapping[str, Any]) -> None:
        for verb in TRANSFERS.intersection(step):
            for key, value in step[verb].items():
                if key == "into" and isinstance(value, dict) and "holding_of" in value:
                    for other in value.keys() - {"holding_of"}:
                        wrong = Sentence("beside_holding_of", other=shown(other))
                        self._tell(FormError(wrong, path=(verb, key), key=other))
                    of = self._value((verb, key, "holding_of"), value["holding_of"])
                    self.forms.transfer["holding_of"] = of
                elif key in TRANSFER_VALUES:
                    self.forms.transfer[key] = self._value((verb, key), value)
        for key, value in step.get("revert", {}).items():
            if key in REVERT_VALUES:
                self.forms.transfer[key] = self._value(("revert", key), value)
        if "split" in step:
            data = step["split"]["components"]
            read = partial(parse_condition, data, self._outside)
            path = ("split", "components")
            self.forms.components = self._part(path, data, read, condition_references)

    def _change(self, path: Path, data: Any, read: Callable[[], Change]) -> None:
        change = self._part(path, data, read, Change.references)
        if change is not None:
            self.forms.changes.append(change)

    def _expect(self, path: Path, data: Mapping[str, Any]) -> None:
        for place, value in data.items():
            try:
                parse_place(place)
            except PlaceError as error:
                where = path_text((*self._prefix, *path, place))
                self.forms.told.append(
                    Told(
                        path=path,
                        key=place,
                        code="bad_place",
                        message=Sentence(
                            "bad_place", path=where, place=shown(place), error=error.args[0]
                        ),
                    )
                )
            else:
                read = partial(parse_expected, value, self._outside)
                expected = self._part((*path, place), value, read, expected_references)
                self.forms.expect[place] = expected

    def _content(self, path: Path, prefix: str, content: Mapping[str, Any]) -> None:
        """Tell of constants in a template of which the server would keep nothing."""
        for key, value in content.items():
            try:
                demand_kept_at(f"{prefix}{key}", parse_value(value))
            except FormError as error:
                if error.code == "tidied_away":
                    self._tell(error.below(*path, key))

    def _value(self, path: Path, data: Any) -> Any:
        return self._part(path, data, partial(parse_value, data), references_of)

    def _part(
        self,
        path: Path,
        data: Any,
        read: Callable[[], T],
        references: Callable[[T], Iterator[Reference]],
    ) -> T | None:
        try:
            found = read()
        except FormError as error:
            self._tell(error.below(*path))
            return None
        for ref in references(found):
            self.forms.references.append((ref, (*path, *(_where(data, ref.text) or ()))))
        return found

    def _tell(self, error: FormError) -> None:
        key = error.key
        where = path_text((*self._prefix, *error.path, *((key,) if key else ())))
        self.forms.told.append(
            Told(
                path=error.path,
                key=key,
                code=error.code,
                message=Sentence("at_path", path=where, message=error.message),
                hint=error.hint,
            )
        )

    def check_references(self, step: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        """Tell of rows that the step has not, and of parameters that nobody declared."""
        for ref, path in dict.fromkeys(self.forms.references):
            where = path_text((*self._prefix, *path))
            if ref.origin is Origin.ROW and "rows" not in step:
                self.forms.told.append(
                    Told(
                        path=path,
                        code="no_row",
                        message=Sentence("step_without_rows", where=where, ref=shown(ref.text)),
                        hint=Sentence("step_without_rows_hint", form="rows: {file: …, key: …}"),
                    )
                )
            if ref.origin is Origin.PARAM and ref.name not in parameters:
                near = meant(ref.name, list(parameters))
                self.forms.told.append(
                    Told(
                        path=path,
                        code="unknown_parameter",
                        message=Sentence("step_parameter", where=where, ref=shown(ref.name)),
                        hint=proposal(ref.name, near, "@param.")
                        if near
                        else Sentence("declare_parameter"),
                    )
                )


def _where(data: Any, text: str) -> Path | None:
    """Return the path of the first text, or key, in which a reference stands."""
    if isinstance(data, str):
        return () if text in data else None
    if isinstance(data, (dict, list)):
        for key, item in data.items() if isinstance(data, dict) else enumerate(data):
            if (found := _where(item, text)) is not None:
                return (key, *found)
            if key == text:
                return (key,)
    return None


def _changes(step: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    update = step.get("update")
    listed: list[tuple[Path, Mapping[str, Any]]] = [(("changes",), step)]
    if isinstance(update, dict):
        listed.append((("update", "changes"), update))
    for path, holder in listed:
        for number, data in enumerate(holder.get("changes", ())):
            yield (*path, number), data
    if any(verb in step for verb in VERBS):
        yield (), {key: step[key] for key in (*VERBS, *SCOPE) if key in step}


def _expectations(step: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path, holder in (
        ((), step),
        (("update",), step.get("update")),
        (("delete",), step.get("delete")),
    ):
        if isinstance(holder, dict) and "expect" in holder:
            yield (*path, "expect"), holder["expect"]


BESIDE = ("holdings", "on_missing", "on_several", "on_duplicate")

"""Keys of a step that bound its action; absent they mean nothing, and digests leave them out."""


def called_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said of a step's function, in the long form."""
    called = step["function"]
    return {"call": called} if isinstance(called, str) else called


def head_of(
    step: Mapping[str, Any], forms: Forms, function: FunctionSource | None = None
) -> dict[str, Any]:
    """Return what a step means besides its selection, as plain data.

    Input files that its conditions and changes name count with their content.

    Args:
        step: as written.
        forms: its conditions, values and changes, read.
        function: of the step, as it was read.
    """
    head = _head(step, forms, function) | {key: step[key] for key in BESIDE if key in step}
    if forms.where is not None:
        head["where"] = condition_data(forms.where)
    return head


def _head(step: Mapping[str, Any], forms: Forms, function: FunctionSource | None) -> dict[str, Any]:
    expect = {place: expected_data(value) for place, value in forms.expect.items()}
    if function is not None:
        on = {key: step["function"][key] for key in ("on",) if key in called_of(step)}
        return {"function": {"expect": expect, **on, **function.meaning()}}
    if "create" in step:
        parts = {key: written(value) for key, value in forms.create.items()}
        return {"create": {"body": {}, "record": {}, "creates": step["create"]["creates"], **parts}}
    if "delete" in step:
        return {"delete": {"expect": expect}}
    if (verb := _transfer_of(step)) is not None:
        return {verb: _transfer_head(step[verb], forms) | {"expect": expect}}
    if _is_resave(step):
        return {"update": {"resave": True, "expect": expect}}
    changes = [change.data() for change in forms.changes]
    return {"update": {"changes": changes, "expect": expect}}


def step_of(
    step: Mapping[str, Any],
    number: int,
    source: Source,
    forms: Forms,
    function: FunctionSource | None = None,
) -> Step:
    """Return a step that fits the schema.

    Args:
        step: as written.
        number: among the manifest's steps, from 1.
        source: where it is written.
        forms: its conditions, values and changes, read.
        function: of the step, where it has one.
    """
    holdings = step.get("holdings")
    return Step(
        number=number,
        source=source,
        name=step.get("name", ""),
        action=_action(step, forms, function),
        holdings=tuple(holdings) if isinstance(holdings, list) else holdings,
        where=forms.where,
        expect=forms.expect,
        on_missing=step.get("on_missing"),
        on_several=step.get("on_several", "refuse"),
        on_duplicate=step.get("on_duplicate", "refuse"),
    )


def _action(step: Mapping[str, Any], forms: Forms, function: FunctionSource | None) -> StepAction:
    if function is not None:
        return StepFunction(source=function, on_bibs=called_of(step).get("on") == "bib")
    if "create" in step:
        create = forms.create
        return StepCreate(
            sigel=create.get("sigel"), body=create.get("body", {}), record=create.get("record", {})
        )
    if "delete" in step:
        return StepDelete()
    if (verb := _transfer_of(step)) is not None:
        return _transfer(verb, step[verb], forms)
    return StepUpdate(changes=tuple(forms.changes), resave=_is_resave(step))


def _transfer_of(step: Mapping[str, Any]) -> str | None:
    return next((verb for verb in (*sorted(TRANSFERS), "revert") if verb in step), None)


def _transfer_head(given: Mapping[str, Any], forms: Forms) -> dict[str, Any]:
    head = dict(given) | {key: written(value) for key, value in forms.transfer.items()}
    if "holding_of" in head:
        head["into"] = {"holding_of": head.pop("holding_of")}
    if forms.components is not None:
        head["components"] = condition_data(forms.components)
    return head


def _transfer(verb: str, given: Mapping[str, Any], forms: Forms) -> StepAction:
    values = forms.transfer
    match verb:
        case "move":
            return StepMove(to=values.get("to"))
        case "repoint":
            return StepRepoint(to=values.get("to"))
        case "copy":
            return StepCopy(
                sigel=values.get("sigel"),
                of=values.get("of"),
                without=tuple(given.get("without", ())),
            )
        case "merge":
            return StepMerge(
                into=values.get("into"),
                holding_of=values.get("holding_of"),
                take=tuple(given["take"]),
            )
        case "split":
            components = forms.components or All(parts=())
            return StepSplit(components=components, sigel=values.get("sigel"), of=values.get("of"))
        case _:
            before = given.get("before_run_of", {})
            return StepRevert(
                version=given.get("version"),
                before=values.get("before"),
                edit_by=values.get("before_edit_by"),
                since=values.get("since"),
                job=before.get("job", ""),
                effect_digest=before.get("effect_digest", ""),
            )


def _is_resave(step: Mapping[str, Any]) -> bool:
    if step.get("resave"):
        return True
    update = step.get("update")
    return isinstance(update, dict) and bool(update.get("resave", False))
