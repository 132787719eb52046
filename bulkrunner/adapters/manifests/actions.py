"""Actions of a step: of each kind how it is read, what it means, and how it is said.

A kind stands here whole: whoever adds one adds an entry of ``KINDS`` with its two functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bulkrunner.adapters.manifests.function_sources import read_function
from bulkrunner.adapters.manifests.head import Manifest
from bulkrunner.adapters.manifests.problems import KeyPath, path_text, shown
from bulkrunner.adapters.manifests.step_forms import StepForms
from bulkrunner.adapters.manifests.warnings import HINT, unfilled_lines
from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.change import Change
from bulkrunner.domain.changes.verbs import VERBS, change_said
from bulkrunner.domain.expressions import parse_span
from bulkrunner.domain.expressions.conditions import All, condition_data
from bulkrunner.domain.expressions.values import written
from bulkrunner.domain.expressions.wording import (
    all_of,
    any_of,
    bib_said,
    condition_said,
    holding_said,
    name_said,
    place_said,
    then,
)
from bulkrunner.domain.functions import MEGABYTES, SECONDS, FunctionSource
from bulkrunner.domain.identifiers import identify
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import (
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
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence


@dataclass(kw_only=True)
class ActionReader:
    """What stands below the key of an action.

    Attributes:
        given: as written. path: from the step.
        means: what of it goes into digests.
    """

    given: Any
    path: KeyPath
    forms: StepForms
    manifest: Manifest
    means: dict[str, Any]

    def values(self, *keys: str) -> dict[str, Any]:
        """Read the values at those of the keys that are given, in their order."""
        return {key: self._value(key) for key in self.given if key in keys}

    def _value(self, key: str) -> Any:
        value = self.forms.value((*self.path, key), self.given[key])
        self.means[key] = written(value)
        return value


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of action.

    Attributes:
        read: makes the action; notes what is wrong.
        said: says what is done with a record.
        makes_holdings: ``on_duplicate`` matters.
        sigels, records, moments: keys whose constants name such. places: keys that list them.
    """

    read: Callable[[ActionReader], StepAction]
    said: Callable[[Any], Sentence]
    makes_holdings: bool = False
    sigels: tuple[KeyPath, ...] = ()
    records: tuple[KeyPath, ...] = ()
    moments: tuple[KeyPath, ...] = ()
    places: tuple[str, ...] = ()


def kind_of(step: Mapping[str, Any]) -> str:
    """Return the key of the kind of action of a step; ``update`` also for what is short for it."""
    return next((key for key in KINDS if key in step), "update")


def read_action(
    key: str, step: Mapping[str, Any], forms: StepForms, manifest: Manifest
) -> tuple[StepAction, dict[str, Any]]:
    """Return the action of a step, and what of it goes into digests."""
    given, path = (step, ()) if key == "update" else (step[key], (key,))
    means = dict(given) if isinstance(given, dict) else {}
    it = ActionReader(given=given, path=path, forms=forms, manifest=manifest, means=means)
    return KINDS[key].read(it), it.means


def action_said(key: str, step: Mapping[str, Any]) -> Sentence:
    """Return what a step does with a record."""
    return KINDS[key].said(step if key == "update" else step[key])


def constants_fit(key: str, step: Mapping[str, Any], path: KeyPath, manifest: Manifest) -> bool:
    """Return True if constants name libraries, records, moments and places; note what does not."""
    kind = KINDS[key]
    faults = [
        *_foreign(step, [(key, *one) for one in kind.sigels], manifest),
        *_nameless(step, [(key, *one) for one in kind.records], manifest),
        *_timeless(step, [(key, *one) for one in kind.moments]),
    ]
    fine = manifest.note(faults, path)
    forms = StepForms(manifest, path)
    for name in kind.places:
        for number, place in enumerate(step[key].get(name, ())):
            fine &= forms.place((key, name, number), place)
    return fine


def _foreign(step: Any, paths: list[KeyPath], manifest: Manifest) -> Iterator[Fault]:
    for path, sigel in _constants(step, paths):
        if manifest.sigels and sigel not in manifest.sigels:
            yield Fault(
                Sentence("sigel_not_in_job", path=path_text(path), sigel=shown(sigel)),
                code="sigel_not_in_job",
                hint=Sentence("writes_own_libraries"),
                path=path,
            )


def _nameless(step: Any, paths: list[KeyPath], manifest: Manifest) -> Iterator[Fault]:
    for path, text in _constants(step, paths):
        found = identify(text, manifest.iris)
        if isinstance(found, Refusal):
            said = Sentence("at_path", path=path_text(path), message=found.message)
            yield Fault(said, code=found.code, hint=found.hint, path=path)


def _timeless(step: Any, paths: list[KeyPath]) -> Iterator[Fault]:
    for path, text in _constants(step, paths):
        if parse_span(text) is None:
            said = Sentence("no_date", path=path_text(path), text=shown(text))
            yield Fault(said, hint=Sentence("no_date_hint"), path=path)


def _constants(step: Any, paths: list[KeyPath]) -> Iterator[tuple[KeyPath, str]]:
    for path in paths:
        text = step
        for key in path:
            text = text.get(key) if isinstance(text, dict) else None
        if isinstance(text, str):
            yield path, text


# --- changes -------------------------------------------------------------------------------------


# Keys that stand beside a verb, in a change or in the step itself.
_SCOPE = ("in", "when")


def _update(it: ActionReader) -> StepAction:
    step, forms = it.given, it.forms
    changes: list[Change] = []
    for path, holder in (((), step), (("update",), _below(step))):
        for number, data in enumerate(holder.get("changes", ())):
            changes += forms.change((*path, "changes", number), data)
    if any(verb in step for verb in VERBS):
        changes += forms.change((), {key: step[key] for key in (*VERBS, *_SCOPE) if key in step})
    if "example" in step:
        changes += forms.example(("example",), step["example"])
    resave = _is_resave(step)
    it.means = {"resave": True} if resave else {"changes": [change.data() for change in changes]}
    return StepUpdate(changes=tuple(changes), resave=resave)


def _below(step: Mapping[str, Any]) -> Mapping[str, Any]:
    update = step.get("update")
    return update if isinstance(update, dict) else {}


def _is_resave(step: Mapping[str, Any]) -> bool:
    return bool(step.get("resave") or _below(step).get("resave"))


def _update_said(step: Mapping[str, Any]) -> Sentence:
    if "example" in step:
        return ExampleChange.said(step["example"])
    if _is_resave(step):
        return Sentence("does_resave")
    if any(verb in step for verb in VERBS):
        return change_said(step)
    return then(map(change_said, step.get("changes") or _below(step).get("changes", ())))


# --- deletes, creates, functions -----------------------------------------------------------------


def _create(it: ActionReader) -> StepAction:
    values: dict[str, Any] = {}
    for key in it.given:
        values |= it.values(key) if key != "creates" else {}
        if key in ("body", "record") and isinstance(it.given[key], dict):
            prefix = "@record." if key == "record" else ""
            it.forms.content((*it.path, key), prefix, it.given[key])
    it.means = {"body": {}, "record": {}} | it.means
    return StepCreate(
        sigel=values.get("sigel"), body=values.get("body", {}), record=values.get("record", {})
    )


def _create_said(given: Mapping[str, Any]) -> Sentence:
    sigel = name_said(given.get("sigel"))
    if body := given.get("body"):
        return Sentence("does_create_with", sigel=sigel, body=all_of(map(harmless, body)))
    return Sentence("does_create", sigel=sigel)


def _function(it: ActionReader) -> StepAction:
    given = _called(it.given)
    source = read_function(
        it.manifest.folder,
        given["call"],
        at=it.forms.source(it.path),
        files=given.get("files", ()),
        seconds=float(given.get("seconds", SECONDS)),
        megabytes=int(given.get("megabytes", MEGABYTES)),
        report=it.manifest.problems.note,
    )
    source = source or FunctionSource(module="", function="", sources={})
    file = source.module.replace(".", "/") + ".py"
    for line, word in unfilled_lines(source.sources.get(source.module, "")):
        said = Sentence("fill_in", word=shown(word))
        place = Source(file=file, line=line)
        it.manifest.problems.note(Fault(said, code="fill_in", hint=HINT, source=place))
    it.means = {key: given[key] for key in ("on",) if key in given} | source.meaning()
    return StepFunction(source=source, on_bibs=given.get("on") == "bib")


def _called(given: Any) -> Mapping[str, Any]:
    """Return what is said of a function, in the long form."""
    return {"call": given} if isinstance(given, str) else given


def _function_said(given: Any) -> Sentence:
    called = _called(given)
    module, _, function = called["call"].partition(":")
    said = Sentence("does_function", function=harmless(function), module=harmless(module))
    if files := called.get("files"):
        return Sentence("does_function_reading", said=said, files=all_of(map(name_said, files)))
    return said


# --- from one holding into another ---------------------------------------------------------------


def _move(it: ActionReader) -> StepAction:
    return StepMove(**it.values("to"))


def _repoint(it: ActionReader) -> StepAction:
    return StepRepoint(**it.values("to"))


def _copy(it: ActionReader) -> StepAction:
    return StepCopy(**it.values("sigel", "of"), without=tuple(it.given.get("without", ())))


def _copy_said(given: Mapping[str, Any]) -> Sentence:
    said = Sentence("does_copy", elsewhere=_elsewhere(given))
    if without := given.get("without"):
        return Sentence("copy_without", said=said, places=any_of(map(place_said, without)))
    return said


def _elsewhere(given: Mapping[str, Any]) -> Sentence:
    if "sigel" not in given:
        return Sentence("elsewhere_on", bib=bib_said(given["of"]))
    sigel = name_said(given["sigel"])
    if "of" in given:
        return Sentence("elsewhere_for_on", sigel=sigel, bib=bib_said(given["of"]))
    return Sentence("elsewhere_for", sigel=sigel)


def _merge(it: ActionReader) -> StepAction:
    take, into = tuple(it.given["take"]), it.given["into"]
    if not (isinstance(into, dict) and "holding_of" in into):
        return StepMerge(**it.values("into"), take=take)
    path = (*it.path, "into")
    for other in into:
        if other != "holding_of":
            said = Sentence("beside_holding_of", other=shown(other))
            it.forms.bad(Fault(said, path=path, key=other))
    holding_of = it.forms.value((*path, "holding_of"), into["holding_of"])
    it.means["into"] = {"holding_of": written(holding_of)}
    return StepMerge(holding_of=holding_of, take=take)


def _merge_said(given: Mapping[str, Any]) -> Sentence:
    into = given["into"]
    if isinstance(into, dict) and "holding_of" in into:
        said = Sentence("holding_on_same_bib", sigel=name_said(into["holding_of"]))
    else:
        said = holding_said(into)
    return Sentence("does_merge", taken=all_of(map(place_said, given["take"])), into=said)


def _split(it: ActionReader) -> StepAction:
    values = it.values("sigel", "of")
    components = it.forms.condition((*it.path, "components"), it.given["components"])
    if components is not None:
        it.means["components"] = condition_data(components)
    return StepSplit(**values, components=components or All(parts=()))


def _split_said(given: Mapping[str, Any]) -> Sentence:
    condition = condition_said(given["components"])
    return Sentence("does_split", condition=condition, elsewhere=_elsewhere(given))


def _revert(it: ActionReader) -> StepAction:
    if "since" in it.given and "before_edit_by" not in it.given:
        said = Sentence("revert_since")
        it.forms.note(Fault(said, code="unknown_key", path=it.path, key="since"))
    values = it.values("before", "before_edit_by", "since")
    before = it.given.get("before_run_of", {})
    return StepRevert(
        version=it.given.get("version"),
        before=values.get("before"),
        edit_by=values.get("before_edit_by"),
        since=values.get("since"),
        job=before.get("job", ""),
        effect_digest=before.get("effect_digest", ""),
    )


def _revert_said(given: Mapping[str, Any]) -> Sentence:
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


# Kinds of actions by the key of a step.
KINDS: Mapping[str, Kind] = {
    "function": Kind(read=_function, said=_function_said),
    "create": Kind(read=_create, said=_create_said, makes_holdings=True),
    "delete": Kind(
        read=lambda _: StepDelete(),
        said=lambda _: Sentence("does_delete"),
    ),
    "move": Kind(
        read=_move,
        said=lambda given: Sentence("does_move", to=name_said(given["to"])),
        makes_holdings=True,
        sigels=(("to",),),
    ),
    "repoint": Kind(
        read=_repoint,
        said=lambda given: Sentence("does_repoint", bib=bib_said(given["to"])),
        makes_holdings=True,
        records=(("to",),),
    ),
    "copy": Kind(
        read=_copy,
        said=_copy_said,
        makes_holdings=True,
        sigels=(("sigel",),),
        records=(("of",),),
        places=("without",),
    ),
    "merge": Kind(
        read=_merge,
        said=_merge_said,
        sigels=(("into", "holding_of"),),
        records=(("into",),),
        places=("take",),
    ),
    "split": Kind(
        read=_split,
        said=_split_said,
        makes_holdings=True,
        sigels=(("sigel",),),
        records=(("of",),),
    ),
    "revert": Kind(read=_revert, said=_revert_said, moments=(("before",), ("since",))),
    "update": Kind(read=_update, said=_update_said),
}
