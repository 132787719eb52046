"""Moves, merges, splits, copies: planned as several changes, told as one thing."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.phrasing import effect_line, joint_count, joint_how, mixed_lines
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report_groups import PatternGroup, restoring_pattern
from bulkrunner.domain.transfers import role_of
from tests.support import reports
from tests.support.cli import Workplace
from tests.support.pages import Page
from tests.support.sandbox import running_sandbox
from tests.unit.adapters.reports.test_patterns import change, grouped, lines, mark

SV, EN = language("sv"), language("en")


def moved(number: int, to: str = "Hbg", sigel: str = "Ylm", **also: Any) -> list[PlannedChange]:
    """A move as the planner makes it: the new holding, then the old one's end."""
    record = reports.record_id(number)
    body = mark(f"Hc {number}")
    made = change(number, sigel=to, after=body)
    gone = change(number + 1, sigel=sigel, before=body)
    operation = {"create": "holding", "of": "b1", "sigel": to, "from": record, **also}
    return [
        reports_replace(made, operation, "move holding: create the new one"),
        reports_replace(
            gone,
            {"delete": record, "moved_to": to},
            "move holding: delete the old one",
            prerequisites=(number,),
        ),
    ]


def reports_replace(
    one: PlannedChange, operation: dict[str, Any], pattern: str, **values: Any
) -> PlannedChange:
    fields = {**one.__dict__, "operation": operation, "pattern": pattern, **values}
    return PlannedChange(**fields)


def joint(group: PatternGroup) -> Any:
    assert group.joint is not None
    return group.joint


def test_a_move_is_one_thing_and_no_deletion_beside_a_creation() -> None:
    changes = [one for n in range(1, 13, 2) for one in moved(n)]
    (group,) = grouped(changes).patterns
    assert effect_line(group, SV) == "Flytta beståndspost från Ylm till Hbg"
    assert effect_line(group, EN) == "Move holding from Ylm to Hbg"
    assert (group.count, joint(group).records) == (12, 6)
    assert joint(group).actions == {Action.DELETE: 6, Action.CREATE: 6}
    assert joint_count(joint(group), SV) == "6 beståndsposter flyttas från Ylm till Hbg"
    assert joint_how(joint(group), SV)[1] == "I planen: 6 raderas och 6 skapas."
    numbers = [item.change.number for item in group.samples]
    assert [joint(group).partners[n][0].change.number for n in numbers] == [n - 1 for n in numbers]


def test_moves_to_different_libraries_stand_apart_and_name_every_origin() -> None:
    changes = [*moved(1), *moved(3, sigel="NO"), *moved(5, to="S")]
    found = grouped(changes)
    assert lines(found, SV) == [
        (4, "Flytta beståndspost från NO och Ylm till Hbg"),
        (2, "Flytta beståndspost från Ylm till S"),
    ]


def test_deletions_that_are_only_that_come_before_moves_and_moves_before_changes() -> None:
    changes = [one for n in range(1, 9, 2) for one in moved(n)]
    changes += [change(20, before=mark("Hc")), change(21, before=mark("Hc"), after=mark("Hce"))]
    assert [line.split()[0] for _, line in lines(grouped(changes), SV)] == [
        "Radera",
        "Flytta",
        "Ändra",
    ]


def test_the_order_of_changes_is_no_matter() -> None:
    changes = [one for n in range(1, 60, 2) for one in moved(n, to=("Hbg", "NO")[n % 4 // 2])]
    shuffled = list(changes)
    Random(3).shuffle(shuffled)
    assert grouped(changes).patterns == grouped(shuffled).patterns


def test_what_the_job_changes_on_the_way_is_told() -> None:
    changes = moved(1, changed="sha256:1")
    (group,) = grouped(changes).patterns
    assert mixed_lines(joint(group), SV) == [(1, "som ett annat steg i jobbet ändrar")]


def updated(number: int, operation: dict[str, Any], pattern: str, **values: Any) -> PlannedChange:
    one = change(number, before=mark("Hc"), after=mark("Hce"))
    return reports_replace(one, operation, pattern, **values)


def test_a_merge_counts_the_holdings_that_go() -> None:
    into = updated(1, {"update": "h1", "merge": "h2", "take": ["hasNote"]}, "update holding")
    gone = reports_replace(
        change(2, before=mark("Hc")),
        {"delete": "h2", "merged_into": "h1", "take": ["hasNote"]},
        "merge holding: delete the merged one",
        prerequisites=(1,),
    )
    (group,) = grouped([into, gone]).patterns
    assert effect_line(group, SV) == "Slå samman beståndspost för Ylm med en annan för Ylm"
    assert joint(group).records == 1
    assert joint(group).actions == {Action.DELETE: 1, Action.UPDATE: 1}


def test_a_merge_into_a_holding_that_has_it_all_already() -> None:
    gone = reports_replace(
        change(2, before=mark("Hc")),
        {"delete": "h2", "merged_into": "h1", "take": ["hasNote"]},
        "merge holding: delete the merged one",
    )
    (group,) = grouped([gone]).patterns
    line = "Slå samman beståndspost för Ylm med en annan, som redan har uppgifterna"
    assert effect_line(group, SV) == line
    assert "ändras inte" in joint_how(joint(group), SV)[0]


def test_a_merge_beside_another_change_shows_what_is_changed() -> None:
    steps = [{"update": "h1", "merge": "h2"}, {"update": "h1", "changes": []}]
    assert lines(grouped([updated(1, {"steps": steps}, "update holding")]), SV) == [
        (1, "Ändra beståndspost för Ylm: hyllkod: ”Hc” → ”Hce”")
    ]


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        ({"revert": -2}, "Återställ beståndspost för Ylm till tidigare innehåll: hyllkod"),
        ({"replace": {"item": {}}}, "Ersätt innehållet i beståndspost för Ylm: hyllkod"),
        ({"repoint": "b2"}, "Koppla beståndspost för Ylm till en annan bibliografisk post"),
    ],
)
def test_other_verbs_are_named(operation: dict[str, Any], line: str) -> None:
    ((_, told),) = lines(grouped([updated(1, {"update": "h1", **operation}, "")]), SV)
    assert told.startswith(line)


def test_an_undo_is_told_as_such() -> None:
    one = updated(1, {"revert": -2, "update": "h1"}, restoring_pattern(Action.UPDATE, "holding"))
    assert role_of(one) is None


def test_the_page_tells_it_in_the_paragraph_and_beside_the_new_record(tmp_path: Path) -> None:
    changes = [one for n in range(1, 7, 2) for one in moved(n)]
    data = reports.report_data(tmp_path / "l", changes=changes)
    page = Page(write_report(data, tmp_path / "p.html", form="html").read_text("utf-8"))
    text = page.section("what").text
    assert "I dessa tal ingår: 3 beståndsposter flyttas från Ylm till Hbg." in text
    patterns = page.section("patterns").text
    assert "Varje bestånd skapas först hos Hbg, med samma innehåll och under nytt id." in patterns
    assert "hör ihop med ändring 1 Skapa Hbg" in patterns
    groups = {row["pattern"] for row in page.rows()}
    assert groups == {0}
    markdown = write_report(data, tmp_path / "p.md", form="md").read_text("utf-8")
    assert "**3 ×** Flytta beståndspost från Ylm till Hbg" in markdown


def test_the_planner_s_own_moves_and_copies_are_known(tmp_path: Path) -> None:
    with running_sandbox() as sandbox:
        place = Workplace(folder=tmp_path, sandbox=sandbox)
        production = sandbox.production
        documents = {h: production.document(h) for h in production.records(sigel="Ylm")}
        taken = {
            production.document(h)["@graph"][1]["itemOf"]["@id"]
            for sigel in ("NO", "Hbg")
            for h in production.records(sigel=sigel)
        }
        free = [
            h
            for h, found in documents.items()
            if found["@graph"][1]["itemOf"]["@id"] not in taken
            and "hasComponent" not in found["@graph"][1]
        ]
        job = place.job(
            "2026-03-move",
            sigels=["Ylm", "NO", "Hbg"],
            files={"move.txt": "\n".join(free[:3]), "copy.txt": "\n".join(free[3:5])},
            steps=[
                {"ids": "move.txt", "move": {"to": "Hbg"}},
                {"ids": "copy.txt", "copy": {"sigel": "NO"}},
            ],
        )
        plan = place("plan", job, "--env", "production").document["plan"]
        found = place("report", plan, "--format", "md", "--out", tmp_path / "plan.md")
    text = Path(found.document["path"]).read_text("utf-8")
    assert "**3 ×** Flytta beståndspost från Ylm till Hbg" in text
    assert "**2 ×** Kopiera beståndspost till NO" in text
    assert "3 beståndsposter flyttas från Ylm till Hbg; 2 beståndsposter kopieras till NO" in text
