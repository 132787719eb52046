"""Steps as a manifest declares them: read once, with their places; streamed; each said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.adapters.manifests.actions import (
    KINDS,
    action_said,
    constants_fit,
    kind_of,
    read_action,
)
from bulkrunner.adapters.manifests.explicit import unreadable
from bulkrunner.adapters.manifests.head import Manifest, parameters_of
from bulkrunner.adapters.manifests.inputs import Input, Report, ReportLines, Selection, TableRows
from bulkrunner.adapters.manifests.line_files import Selected
from bulkrunner.adapters.manifests.parts import (
    Entry,
    FileOperations,
    InlineOperations,
    Part,
    explicit_entry,
)
from bulkrunner.adapters.manifests.problems import KeyPath
from bulkrunner.adapters.manifests.selection_sources import (
    Chosen,
    EnvironmentSelection,
    chosen_by,
    ids_of,
)
from bulkrunner.adapters.manifests.step_forms import StepForms
from bulkrunner.domain.canonical import canonical_bytes, digest_of_bytes
from bulkrunner.domain.expressions.conditions import condition_data
from bulkrunner.domain.expressions.expectations import expected_data
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
from bulkrunner.domain.identifiers import of_canonical
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Parameter, Undo
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import (
    InputLine,
    Step,
    StepCreate,
    StepEntry,
    StepFunction,
    StepSelection,
)
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

# Keys of a step that bound its action; absent they mean nothing, and digests leave them out.
_BESIDE = ("holdings", "on_missing", "on_several", "on_duplicate")


@dataclass(frozen=True, kw_only=True)
class ManifestStep:
    """Which records, and what is done with every one of them.

    Attributes:
        does: the step for planning. kind: of its action, as a key.
        written: conditions, values and changes as they stand in the manifest.
        head: what is done, as plain data for digests.
        at: where its records are named.
    """

    chosen: Chosen
    does: Step
    kind: str
    written: Mapping[str, Any]
    head: Mapping[str, Any]
    at: Source
    iris: IriMap

    drops_repeats = True

    @property
    def chooses(self) -> dict[str, Any]:
        """Which records are meant, as written: names of files, forms of columns."""
        return {self.chosen.key: self.chosen.given, "name": self.does.name}

    @property
    def expected(self) -> Mapping[str, Any]:
        """What is expected of each record, as written."""
        return _expected(self.written)[1]

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield one entry for each line, row or id, repeated ones included."""
        read = self.chosen.read
        if isinstance(read, EnvironmentSelection):
            asked = StepSelection(source=read.at, step=self.does, selects=read.selects)
            yield Entry(read.at, asked, None, canonical_bytes(dict(read.selects)))
            return
        for found in read.read(self.iris, report):
            if found.left_out:
                yield _left_out(found)
            elif found.ref is None:
                yield _unreadable(found, self.does.number)
            elif found.fault is not None:
                yield self._refused(found, found.ref, found.fault)
            else:
                yield self._entry(found, found.ref)

    def _refused(self, found: Selected, ref: str, fault: Fault) -> Entry:
        """Return a row that cannot be used: it refuses the record that it names."""
        refusal = Refusal(code=fault.code, message=fault.said)
        one = StepEntry(
            source=found.source, step=self.does, given=found.given, ref=ref, refusal=refusal
        )
        return Entry(found.source, one, None, b"?" + found.given.encode())

    def _entry(self, found: Selected, ref: str) -> Entry:
        one = StepEntry(
            source=found.source, step=self.does, given=found.given, ref=ref, row=found.row
        )
        meaning, key = b"=" + ref.encode(), f"{self.does.number}:{ref}"
        if found.row is not None:
            row = canonical_bytes(dict(found.row))
            meaning += b"\0" + row
            # Two rows that say different things about a record are left to the planner.
            key += ":" + digest_of_bytes(row)
        return Entry(found.source, one, key, meaning)

    def fault_of_total(self, total: int, readable: int, /) -> Fault | None:
        """Return the fault of a list that names no record."""
        read = self.chosen.read
        if readable or isinstance(read, EnvironmentSelection):
            return None
        if total:
            return Fault(
                Sentence("list_unreadable", called=read.called, total=total),
                code="no_readable_id",
                hint=Sentence("list_unreadable_hint"),
            )
        if isinstance(read, ReportLines):
            return read.fault_of_none()
        said = Sentence("list_without_id", called=read.called)
        return Fault(said, code="empty", hint=Sentence("list_without_id_hint"))

    @property
    def number(self) -> int:
        """Which step of the manifest it is, from 1."""
        return self.does.number

    @property
    def read_from(self) -> Input | None:
        """How the list or table was read, once it was."""
        read = self.chosen.read
        return None if isinstance(read, EnvironmentSelection) else read.input


@dataclass(frozen=True, kw_only=True)
class UndoStep:
    """What a job changed is to be restored; ``only`` bounds it to a list of records."""

    job: str
    effect_digest: str
    only: Selection | None
    at: Source
    iris: IriMap

    drops_repeats = True
    head = "undo"
    number = 1
    chooses = None

    @property
    def read_from(self) -> Input | None:
        """How the list that bounds the undo was read, once it was."""
        return None if self.only is None else self.only.input

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield one undo, after the texts of the list that name no record."""
        named: set[str] | None = None
        if self.only is not None:
            named = set()
            for found in self.only.read(self.iris, report):
                if found.left_out:
                    yield _left_out(found)
                elif found.ref is not None and of_canonical(found.ref) is None:
                    named.add(found.ref)
                else:
                    yield _unreadable(found, 0)
        undo = Undo(
            source=self.at,
            job=self.job,
            effect_digest=self.effect_digest,
            only=None if named is None else frozenset(named),
        )
        yield explicit_entry(undo)

    def fault_of_total(self, _total: int, _readable: int, /) -> None:
        """Return nothing; an empty list undoes nothing."""


def _left_out(found: Selected) -> Entry:
    line = InputLine(
        source=found.source, code=found.left_out, given=found.given, message=found.note
    )
    return Entry(found.source, line, None, b"")


def _unreadable(found: Selected, step: int) -> Entry:
    # Rows without a key have nothing in common; the same line twice in a list has.
    key = f"{step}?{found.given}" if found.row is None else None
    return Entry(found.source, unreadable(found), key, b"?" + found.given.encode())


# --- reading -------------------------------------------------------------------------------------


def read_step(
    step: Mapping[str, Any], number: int, manifest: Manifest
) -> ManifestStep | UndoStep | None:
    """Read a step that fits the schema; None where its records or constants have faults.

    Args:
        step: as written.
        number: among the manifest's steps, from 0.
        manifest: the manifest; gets every fault.
    """
    path: KeyPath = ("steps", number)
    if "undo" in step:
        return _undo(step["undo"], (*path, "undo"), manifest)
    kind = kind_of(step)
    before = manifest.problems.total
    chosen = chosen_by(step, path, manifest)
    if not constants_fit(kind, step, path, manifest) or manifest.problems.total > before:
        return None
    return _read(step, path, kind, chosen, manifest)


def _undo(given: Mapping[str, Any], path: KeyPath, manifest: Manifest) -> UndoStep:
    only = given.get("only")
    return UndoStep(
        job=given["job"],
        effect_digest=given["effect_digest"],
        only=None if only is None else ids_of(only, (*path, "only"), manifest),
        at=manifest.source(path),
        iris=manifest.iris,
    )


def _read(
    step: Mapping[str, Any],
    path: KeyPath,
    kind: str,
    chosen: Chosen,
    manifest: Manifest,
) -> ManifestStep:
    forms = StepForms(manifest, path)
    where = forms.condition(("where",), step["where"]) if "where" in step else None
    holder, expected = _expected(step)
    if kind == "update":
        action, means = read_action(kind, step, forms, manifest)
        expect = forms.expected(holder, expected)
    else:  # a column that is missing is told where it is named first
        expect = forms.expected(holder, expected)
        action, means = read_action(kind, step, forms, manifest)
    forms.check_references(has_row="rows" in step)
    head: dict[str, Any] = {kind: means}
    if kind != "create":
        head[kind]["expect"] = {place: expected_data(value) for place, value in expect.items()}
    head |= {key: step[key] for key in _BESIDE if key in step}
    if where is not None:
        head["where"] = condition_data(where)
    if isinstance(chosen.read, TableRows):
        chosen = replace(chosen, read=replace(chosen.read, wanted=forms.columns))
    holdings = step.get("holdings")
    does = Step(
        number=int(path[1]) + 1,
        source=manifest.source(path),
        name=step.get("name", ""),
        action=action,
        holdings=tuple(holdings) if isinstance(holdings, list) else holdings,
        where=where,
        expect=expect,
        on_missing=step.get("on_missing"),
        on_several=step.get("on_several", "refuse"),
        on_duplicate=step.get("on_duplicate", "refuse"),
    )
    return ManifestStep(
        chosen=chosen,
        does=does,
        kind=kind,
        written=step,
        head=head,
        at=manifest.source((*path, chosen.key, "file")),
        iris=manifest.iris,
    )


def _expected(step: Mapping[str, Any]) -> tuple[KeyPath, Mapping[str, Any]]:
    """Return what is expected of each record, and its path."""
    for path, holder in (
        ((), step),
        (("update",), step.get("update")),
        (("delete",), step.get("delete")),
    ):
        if isinstance(holder, dict) and "expect" in holder:
            return (*path, "expect"), holder["expect"]
    return ("expect",), {}


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
