"""What is said on lines of their own: of inputs, of where plans and runs stand, of what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bulkrunner.errors import UsageError
from bulkrunner.runner.telling import Telling, counted, counts_said, word
from bulkrunner.sentences import Sentence, as_sentence, verbatim

if TYPE_CHECKING:
    from bulkrunner.bootstrap import WrittenReport
    from bulkrunner.domain.manifest import Parameter
    from bulkrunner.domain.rules import GateResult
    from bulkrunner.errors import Fault
    from bulkrunner.services.status import Status


def fault_data(problem: Fault) -> dict[str, Any]:
    return {
        "file": problem.source.file,
        "line": problem.source.line,
        "column": problem.source.column,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def input_told(read: Mapping[str, Any]) -> Sentence:
    """Return how a list or table was read, on one line."""
    parts: list[str] = [read["kind"], *([read["encoding"]] if "encoding" in read else [])]
    if "sheet" in read:
        parts.append(Sentence("input_sheet", sheet=read["sheet"]))
    if "header_row" in read:
        parts.append(Sentence("input_header_row", row=read["header_row"]))
    separator, of_header = read.get("separator"), read.get("header_separator")
    if separator is not None:
        parts.append(Sentence("input_separator", separator=_separator(separator)))
    if of_header is not None and of_header != separator:
        parts.append(Sentence("input_header_separator", separator=_separator(of_header)))
    parts.append(Sentence("input_lines", count=read["lines"]))
    if read.get("hidden") == "use":
        parts.append(Sentence("input_hidden", count=read["hidden_rows"]))
    parts += [counted(code, count) for code, count in read["left_out"].items()]
    return Sentence("input", file=read["file"], parts=parts)


def _separator(text: str) -> str:
    if text == "\t":
        return Sentence("separator_tab")
    return Sentence("separator_blanks") if text == " " else text


def demand_parameters(missing: Sequence[Parameter]) -> None:
    """Go on where every required parameter has a value. UsageError: one has none."""
    if missing:
        names = ", ".join(one.name for one in missing)
        described = [f"{one.name}: {one.description}" for one in missing if one.description]
        wanted = " ".join(f"--param {one.name}=…" for one in missing)
        meant = "; ".join(described)[:500]
        hint = Sentence("parameter_missing_hint", wanted=wanted, meant=meant)
        raise UsageError(
            Sentence("parameter_missing", names=names),
            hint=hint if meant else verbatim(wanted),
            code="missing_parameter",
        )


def tell_written(telling: Telling, found: WrittenReport) -> None:
    """Say where a report is, and of what ledger."""
    for path in [found.path] if found.libraries is None else found.libraries.values():
        telling.say(str(path))
    if found.fault:
        telling.say(Sentence("ledger_does_not_fit", fault=found.fault), err=True)
        telling.say(Sentence("report_not_proved"), err=True)
    if found.head is not None:
        telling.say(Sentence("ledger_head", head=found.head), err=True)


# Blanks before a sentence, and the sentence.
Line = tuple[int, Sentence]


def status_lines(status: Status) -> Iterator[Line]:
    """Yield what stands where, and the next command."""
    if not status.plans:
        yield 0, Sentence("status_no_plan")
    for plan in status.plans:
        yield from _plan_lines(plan)
        for run in status.runs:
            if run["plan"] == plan["plan"]:
                yield from _run_lines(run)
    for gate in status.gates:
        yield 2, _gate_said(gate)
    for result in status.rules:
        rule = result.rule
        if result.kept is False and rule.kind != "gate":
            yield 2, Sentence("status_rule", id=rule.id, level=rule.level.said, said=result.said)
    yield from queue_lines(status.queue, status.workers)
    if status.closed:
        yield 0, Sentence("status_closed", why=status.closed)
    if status.next:
        yield 0, Sentence("next", command=status.next)


def _gate_said(gate: GateResult) -> Sentence:
    if gate.open:
        return Sentence("status_gate_open", gate=gate.said, reason=gate.reason)
    return Sentence("status_gate_closed", gate=gate.said, reason=gate.reason)


def _plan_lines(plan: Mapping[str, Any]) -> Iterator[Line]:
    from bulkrunner.domain.approvals import Conditions

    yield (
        0,
        Sentence(
            "status_plan",
            plan=plan["plan"],
            job=plan["job"],
            environment=plan["environment"],
            state=word(plan["state"]),
            counts=counts_said(plan["counts"]),
        ),
    )
    if asked := Conditions.from_dict(plan["conditions"]).describe():
        yield 2, Sentence("status_conditions", asked=asked)


def _run_lines(run: Mapping[str, Any]) -> Iterator[Line]:
    state = word(run["state"])
    if run["reason"]:
        state = Sentence("status_why", state=state, why=run["reason"])
    counts = counts_said(run["outcomes"])
    yield 2, Sentence("status_run", run=run["run"], state=state, counts=counts)
    for said in outlook_lines(run):
        yield 4, said


def outlook_lines(run: Mapping[str, Any]) -> Iterator[Sentence]:
    """Yield what is said of a run's outlook."""
    if waiting := run.get("waiting"):
        said = Sentence("status_waits", reason=waiting["reason"])
        until = waiting["until"]
        yield Sentence("status_waits_until", said=said, until=until) if until else said
    elif run.get("driven") is False:
        yield Sentence("status_nobody_works", run=run["run"])
    elif run.get("paused"):
        yield Sentence("status_paused", run=run["run"])
    if window := run.get("window"):
        given = {"hours": window["hours"], "timezone": window["timezone"]}
        said = (
            Sentence("status_window_open", **given)
            if window["open"]
            else Sentence("status_window_closed", **given)
        )
        until = window["until"]
        yield Sentence("status_window_until", said=said, until=until) if until else said
    if run.get("done_at"):
        yield Sentence("status_done_about", rate=f"{run['rate']:g}", at=run["done_at"])


def queue_lines(
    queue: list[dict[str, Any]], workers: list[dict[str, Any]]
) -> Iterator[tuple[int, Sentence]]:
    """Yield what is queued, who does what, and which workers live."""
    for entry in queue:
        yield 0, _entry_said(entry)
        for name, why in entry["left_by"].items():
            yield 2, Sentence("queue_left_by", worker=name, why=as_sentence(why))
    for one in workers:
        given = {"name": one["name"], "host": one["host"], "pid": one["pid"], "at": one["seen_at"]}
        yield 0, Sentence("worker_lives" if one["alive"] else "worker_silent", **given)


def _entry_said(entry: Mapping[str, Any]) -> Sentence:
    named = {"job": entry["job"], "environment": entry["environment"]}
    match entry["state"]:
        case "driven":
            return Sentence("queue_driven", **named, worker=entry["worker"] or "?")
        case "waiting":
            said = Sentence("queue_waiting", **named, by=entry["by"])
            if entry["at"]:
                said = Sentence("queue_until", said=said, at=entry["at"])
        case _:
            said = Sentence("queue_ended", **named, at=entry["at"])
    if entry["reason"]:
        return Sentence("queue_because", said=said, why=as_sentence(entry["reason"]))
    return said
