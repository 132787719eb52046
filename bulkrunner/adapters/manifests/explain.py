"""Says in a sentence what each step of a manifest will do, and what bounds them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkrunner.adapters.manifests.actions import KINDS, action_said
from bulkrunner.adapters.manifests.declared_steps import ManifestStep, UndoStep
from bulkrunner.adapters.manifests.head import Manifest, parameters_of
from bulkrunner.adapters.manifests.parts import FileOperations, InlineOperations, Part
from bulkrunner.domain.expressions.wording import (
    all_of,
    any_of,
    both,
    condition_said,
    name_said,
    place_said,
    test_said,
    value_said,
)
from bulkrunner.domain.manifest import Parameter
from bulkrunner.domain.steps import StepCreate, StepFunction
from bulkrunner.domain.text import harmless
from bulkrunner.sentences import Sentence


def explained(manifest: Manifest, parts: Sequence[Part]) -> list[Sentence]:
    """Return a sentence for the explicit operations, if any, one for every step, and the bounds."""
    said, sigels = list[Sentence](), list(map(str, manifest.sigels))
    steps = 0
    for part in parts:
        match part:
            case InlineOperations():
                counted = all_of(_counted(kind, count) for kind, count in part.kinds.items())
                said.append(Sentence("operations_counted", counted=counted))
            case FileOperations():
                said.append(Sentence("operations_in_file", file=name_said(part.name)))
            case UndoStep():
                steps += 1
                does = Sentence("step_undo", job=name_said(part.job))
                said.append(Sentence("step", number=steps, does=does))
            case ManifestStep():
                steps += 1
                said.append(_step(part, sigels, manifest.data.get("on_missing")))
    return [*said, *_bounds(manifest, sigels)]


def _counted(kind: str, count: int) -> Sentence:
    match kind:
        case "create":
            return Sentence("creates_counted", n=count)
        case "update":
            return Sentence("updates_counted", n=count)
        case "delete":
            return Sentence("deletes_counted", n=count)
    return Sentence("changes_counted", n=count)


def _bounds(manifest: Manifest, sigels: Sequence[str]) -> Iterator[Sentence]:
    data = manifest.data
    if parameters := parameters_of(data):
        yield Sentence("parameters_are", parameters=all_of(map(_parameter, parameters.values())))
    if sigels:
        named = any_of(map(harmless, sigels))
        bibs_too = manifest.covers_bibs
        yield Sentence("only_bibs_and_holdings" if bibs_too else "only_holdings", sigels=named)
    if ceilings := data.get("ceilings"):
        yield Sentence("ceilings_are", most=any_of(_ceiling(*one) for one in ceilings.items()))
    for one in data.get("accept", ()):
        yield Sentence("refusals_accepted", most=one["at_most"], code=one["code"])


def _ceiling(key: str, most: int) -> Sentence:
    if most:
        return Sentence("more_than", counted=_counted(key, most))
    match key:
        case "create":
            return Sentence("any_create")
        case "update":
            return Sentence("any_update")
        case "delete":
            return Sentence("any_delete")
    return Sentence("any_change")


def _parameter(one: Parameter) -> Sentence:
    if one.required or one.default is None:
        return Sentence("parameter_demanded", name=one.name)
    return Sentence("parameter_with_default", name=one.name, default=value_said(one.default))


def _step(step: ManifestStep, sigels: Sequence[str], missing: str | None) -> Sentence:
    said = _concerned(step, sigels)
    if where := step.written.get("where"):
        said = Sentence("step_where", said=said, condition=condition_said(where))
    action = action_said(step.kind, step.written)
    does = Sentence("step_does", concerned=said, action=action)
    if guards := tuple(_guards(step, missing)):
        does = Sentence("listed_apart", parts=(does, *guards))
    number, name = step.does.number, step.does.name
    if name:
        return Sentence("step_named", number=number, name=harmless(name), does=does)
    return Sentence("step", number=number, does=does)


def _concerned(step: ManifestStep, sigels: Sequence[str]) -> Sentence:
    chosen, holdings = step.chosen, step.does.holdings
    if holdings is None:
        return Sentence("for_every", selected=_selected(step))
    listed = [harmless(one) for one in (sigels if isinstance(holdings, str) else holdings)]
    named = any_of(listed) if listed else Sentence("the_job")
    on = Sentence("on_row" if chosen.key == "rows" else "on_bib", rest=chosen.said)
    said = Sentence("for_each_holding", of=named, on=on)
    return Sentence("others_reported", said=said) if holdings == "all" else said


def _selected(step: ManifestStep) -> Sentence:
    """Return what is selected, one by one, and which of them."""
    rest, action = step.chosen.said, step.does.action
    match step.chosen.key:
        case "ids":
            on_bibs = isinstance(action, StepFunction) and action.on_bibs
            is_bib = on_bibs or isinstance(action, StepCreate)
            return Sentence("selected_bib" if is_bib else "selected_id", rest=rest)
        case "rows":
            return Sentence("selected_row", rest=rest)
        case "library":
            return Sentence("selected_holding", rest=rest)
    return Sentence("selected_record", rest=rest)


def _guards(step: ManifestStep, missing: str | None) -> Iterator[Sentence]:
    if expect := step.expected:
        wanted = both(
            Sentence("place_test", place=place_said(place), test=test_said(value))
            for place, value in expect.items()
        )
        yield Sentence("refused_unless", wanted=wanted)
    if KINDS[step.kind].makes_holdings:
        skips = step.does.on_duplicate == "skip"
        yield Sentence("duplicates_passed_over" if skips else "duplicates_refused")
    if step.does.on_several == "all":
        yield Sentence("several_meant")
    if (step.does.on_missing or missing) == "refuse":
        yield Sentence("missing_refused")
