"""The first screen: what is asked, the largest groups, what to look at, why a run fell short."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.page_summary import MAX_GROUPS, Summary
from bulkrunner.adapters.reports.phrasing import distinct_effects, effect_line
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import Outcome
from tests.support import reports
from tests.support.pages import Page

SV, EN = language("sv"), language("en")


def updated(number: int, before: str = "Hc", after: str = "Hce", **item: Any) -> Any:
    """A change of the shelf mark, and of what else is given as (before, after)."""
    record = reports.record_id(number)
    was = {name: pair[0] for name, pair in item.items()}
    now = {name: pair[1] for name, pair in item.items()}
    return reports.a_reported(
        number,
        Action.UPDATE,
        before=reports.holding(record, before, **was),
        after=reports.holding(record, after, **now),
    )


def data_of(tmp_path: Path, *changes: Any, **more: Any) -> ReportData:
    return reports.report_data(tmp_path, changes=list(changes), **more)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SV, "Ylm ber att få ändra hyllkod (hyllsignum) ”Hc” → ”Hce” på 3 beståndsposter."),
        (EN, "Ylm asks to change shelf mark “Hc” → “Hce” in 3 holdings."),
    ],
)
def test_one_kind_of_change_is_asked_for_in_one_sentence(
    tmp_path: Path, words: Any, said: str
) -> None:
    data = data_of(tmp_path, *(updated(n) for n in (1, 2, 3)))
    assert Summary(data, words).sentence() == said


def test_several_kinds_are_asked_for_by_their_counts_deletions_first(tmp_path: Path) -> None:
    data = data_of(tmp_path, updated(1), reports.a_reported(2, Action.DELETE))
    assert (
        Summary(data, SV).sentence()
        == "Ylm ber att få radera 1 beståndspost och ändra 1 beståndspost."
    )


def test_whose_holdings_are_written_is_said_where_they_are_others_too(tmp_path: Path) -> None:
    two = data_of(tmp_path / "2", updated(1), updated(5))  # every fifth is NO's
    assert Summary(two, SV).sentence().endswith("på 2 beståndsposter hos NO och Ylm.")
    assert Summary(two, EN).sentence().endswith("in 2 holdings of NO and Ylm.")
    many = replace(two, sigels={f"S{n}": {"update": 1} for n in range(12)})
    assert Summary(many, SV).sentence().endswith("hos 12 bibliotek.")
    other = replace(two, sigels={"NO": {"update": 2}, "S": {"refused": 1}, "": {"update": 3}})
    assert Summary(other, SV).sentence().endswith("hos NO.")


def test_what_is_answered_or_run_is_not_asked_for_any_more(tmp_path: Path) -> None:
    approved = reports.report_data(tmp_path / "1", approved=True)
    assert Summary(approved, SV).sentence().startswith("Planen ska radera 2")
    run = reports.report_data(tmp_path / "2", run=True, approved=True)
    assert Summary(run, SV).sentence().startswith("Planen sade: radera 2")


def test_a_plan_without_changes_says_so(tmp_path: Path) -> None:
    data = data_of(tmp_path, reports.a_reported(1, Action.UNCHANGED, after=None))
    assert "ändrar ingenting" in Summary(data, SV).sentence()


def test_groups_are_the_largest_with_deletions_first(tmp_path: Path) -> None:
    data = data_of(
        tmp_path,
        *(updated(n) for n in range(1, 5)),
        updated(5, "Hcf"),
        reports.a_reported(6, Action.DELETE),
    )
    lines = Summary(data, SV).groups()
    assert [(line.action, line.count) for line in lines] == [
        (Action.DELETE, 1),
        (Action.UPDATE, 4),
        (Action.UPDATE, 1),
    ]
    first = lines[1].line
    assert first is not None
    assert (first.before, first.after) == (("Hc", 0, False), ("Hce", 0, False))


def test_of_many_groups_the_rest_is_counted(tmp_path: Path) -> None:
    marks = [f"{letter}{letter}" for letter in "ABCDEFG"]
    changes = [
        updated(4 * number + n, mark, f"{mark}x")
        for number, mark in enumerate(marks)
        for n in range(1, 5)
    ]
    data = data_of(tmp_path, *changes)
    summary = Summary(data, SV)
    assert len(data.grouped.patterns) > MAX_GROUPS
    assert len(summary.groups()) == MAX_GROUPS
    assert summary.more_groups == len(data.grouped.patterns) - MAX_GROUPS


def test_a_change_of_several_places_shows_the_first_and_counts_the_others(tmp_path: Path) -> None:
    data = data_of(tmp_path, updated(1, copyNumber=("1", "2"), inventoryLevel=(1, 2)))
    (line,) = Summary(data, SV).groups()
    assert line.more == 2
    path = write_report(data, tmp_path / "r.html", form="html")
    page = Page(path.read_text(encoding="utf-8"), "sv")
    (mark,) = page.within("summary", "span", "further")
    assert mark.text == "+2"
    assert page.row(1)["further"] == 2


def test_a_deletion_shows_the_shelf_mark_before_anything_else(tmp_path: Path) -> None:
    before = reports.holding(
        reports.record_id(1), "Hc", availability=[{"@type": "ItemAvailability", "label": "x"}]
    )
    data = data_of(tmp_path, reports.a_reported(1, Action.DELETE, before=before))
    (line,) = Summary(data, SV).groups()
    assert line.line is not None
    assert line.line.place == "shelfMark.label"


def test_what_stops_the_plan_comes_before_what_stands_out(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, tried=12, policy=reports.LOOSE_POLICY)
    looks = Summary(data, SV).looks()
    assert [(look.section, look.stops) for look in looks] == [
        ("gates", True),
        ("looser", True),
        ("left-out", False),
        ("left-out", False),
        ("tried", False),
    ]
    assert looks[0].text.text.startswith("Jobbet, som det ser ut nu, har aldrig planerats")
    assert looks[-1].text.text == "Inte provade i testmiljön: 6 ändringar."


def test_where_all_is_well_nothing_is_to_be_looked_at(tmp_path: Path) -> None:
    gates = tuple(
        GateResult(name=gate.name, open=gate.name != "approval", reason=gate.reason)
        for gate in reports.GATES
    )
    data = replace(data_of(tmp_path, updated(1), gates=gates), evidence=None)
    assert Summary(data, SV).looks() == []
    page = Page(write_report(data, tmp_path / "r.html", form="html").read_text("utf-8"), "sv")
    assert "Inget avviker." in page.section("summary").text
    assert page.all("span", "mark") == []


def test_gates_and_rules_are_folded_where_all_is_well(tmp_path: Path) -> None:
    gates = tuple(GateResult(name=g.name, open=True, reason=g.reason) for g in reports.GATES)
    data = data_of(tmp_path, updated(1), gates=gates, approved=True)
    page = Page(write_report(data, tmp_path / "r.html", form="html").read_text("utf-8"), "sv")
    (gate,) = page.within("gates", "details")
    assert "open" not in gate.attributes
    assert "Alla 8 villkor är uppfyllda" in gate.text
    closed = reports.report_data(tmp_path / "2")
    page = Page(write_report(closed, tmp_path / "c.html", form="html").read_text("utf-8"), "sv")
    (gate,) = page.within("gates", "details")
    assert "open" in gate.attributes
    assert "3 av 8 villkor är inte uppfyllda" in gate.text


def test_a_run_says_what_was_not_done_by_cause_the_commonest_first(tmp_path: Path) -> None:
    data = replace(
        reports.report_data(tmp_path, run=True, approved=True),
        causes=((Outcome.CONFLICT, "edited", 40), (Outcome.FAILED, "", 2)),
    )
    told = [(cause.outcome, cause.count, cause.text) for cause in Summary(data, SV).causes()]
    assert told == [
        (
            "conflict",
            40,
            "Posten ändrades av någon annan mellan planen och körningen. Den lämnades orörd.",
        ),
        ("failed", 2, "orsaken är inte känd"),
    ]


def test_causes_are_counted_from_the_ledger(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, run=True, approved=True)
    assert {(outcome, count) for outcome, _, count in data.causes} == {
        (Outcome.CONFLICT, 1),
        (Outcome.FAILED, 1),
        (Outcome.REFUSED, 1),
    }


def test_no_two_groups_bear_the_same_sentence(tmp_path: Path) -> None:
    long = {f"note{n}": ("a", "b") for n in range(8)}
    changes = [
        *(updated(n, cataloguersNote=(["x"], ["y"]), **long) for n in range(1, 6)),
        *(updated(n, hasNote=("x", "y"), **long) for n in range(6, 11)),
    ]
    data = data_of(tmp_path, *changes)
    plain = [effect_line(group, SV) for group in data.grouped.patterns]
    told = distinct_effects(data.grouped.patterns, SV)
    assert len(told) == len(set(told)) == len(plain)


def test_groups_that_read_alike_say_what_sets_them_apart(tmp_path: Path) -> None:
    (group,) = data_of(tmp_path, updated(1)).grouped.patterns
    other = replace(group, sigels={"NO": 1, "S": 2})
    line = effect_line(replace(group, sigels={"X": 1, "Y": 1}), SV)
    both = [replace(group, sigels={"X": 1, "Y": 1}), other]
    assert distinct_effects(both, SV) == [f"{line} – X och Y", f"{line} – NO och S"]
    assert distinct_effects([other, other], SV) == [f"{line} – grupp 1", f"{line} – grupp 2"]
