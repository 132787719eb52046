"""Steps that select by lists, tables, searches, libraries and reports, from plan to report."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.domain.records import library_iri
from tests.support.cli import Workplace
from tests.support.sandbox import EnvironmentControl, SandboxControl, running_sandbox
from tests.support.tables import xlsx

NOTE = {"append": {"at": "@record.cataloguersNote", "value": "sedd"}}


@pytest.fixture
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(index_lag_ms=-1) as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture
def here(sandbox: SandboxControl) -> EnvironmentControl:
    return sandbox.staging


def bib_of(here: EnvironmentControl, holding: str) -> str:
    iri = here.document(holding)["@graph"][1]["itemOf"]["@id"]
    return str(iri).rpartition("/")[2].removesuffix("#it")


def number(here: EnvironmentControl, bib: str, **numbers: Any) -> None:
    """Give a bib numbers: ``thing=[…]``, ``head=[…]``, ``alias=…``."""
    document = here.document(bib)
    head, thing = document["@graph"][:2]
    if "thing" in numbers:
        thing["identifiedBy"] = numbers["thing"]
    if "head" in numbers:
        head["identifiedBy"] = numbers["head"]
    if "alias" in numbers:
        head["sameAs"] = [{"@id": numbers["alias"]}]
    here.edit(bib, doc=document)
    here.refresh()


def lines_of(place: Workplace, plan: str) -> list[dict[str, Any]]:
    """The plan's report in JSON Lines."""
    out = place.folder / f"{plan}.jsonl"
    place("report", plan, "--format", "jsonl", "--out", out)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def told(lines: list[dict[str, Any]]) -> dict[int, tuple[str, str]]:
    """Action and code by the line of the input; a line that came to several changes has the last."""
    return {line["source"]["line"]: (line["action"], line["code"]) for line in lines}


def test_a_list_of_every_dialect_and_every_line_in_the_report(
    place: Workplace, here: EnvironmentControl
) -> None:
    holdings = here.records("hold", "Ylm")[:6]
    bibs = [bib_of(here, holding) for holding in holdings]
    number(here, bibs[2], alias="http://libris.kb.se/bib/77000001")
    number(here, bibs[3], thing=[{"@type": "ISBN", "value": "917000059X"}])
    number(here, bibs[4], head=[{"@type": "LibrisIIINumber", "value": "9127015832"}])
    number(here, bibs[5], head=[{"@type": "SystemNumber", "value": "(OCoLC)4711"}])
    unheld = next(b for b in here.records("bib") if not here_holds(here, b))
    lines = [
        bibs[0],
        f"https://libris.kb.se/{bibs[1]}#it",
        "(LIBRIS)77000001",
        "978-91-7000-059-1",
        " libris3:9127015832\t",
        "(OCoLC)4711",
        "",
        "# från hyllan",
        "77000001",
        bibs[0],
        "trasig rad",
        "0347-0548",
        "isbn:9780804429573",
        unheld,
    ]
    data = b"\xef\xbb\xbf" + "\r\n".join(lines).encode()
    job = place.job(
        "mixed", steps=[{"ids": {"file": "ids.txt", "as": "bib"}, "holdings": "own", **NOTE}]
    )
    (job / "ids.txt").write_bytes(data)
    plan = place("plan", job, "--env", "staging", expect=3).document
    found = told(lines_of(place, plan["plan"]))
    assert sorted(found) == list(range(1, len(lines) + 1))
    assert [found[n] for n in range(1, 7)] == [("update", "")] * 6
    assert found[7] == ("left_out", "blank")
    assert found[8] == ("left_out", "comment")
    assert found[9] == ("left_out", "repeat")
    assert found[10] == ("left_out", "repeat")
    assert found[11] == ("refused", "unreadable_id")
    assert found[12] == ("refused", "bad_check_digit")
    assert found[13] == ("not_found", "not_found")
    assert found[14] == ("not_found", "no_holding")
    assert plan["counts"]["update"] == 6


def here_holds(here: EnvironmentControl, bib: str) -> bool:
    query = f"id={here.record_iri(bib)}&library=Ylm"
    from tests.support.sandbox import http

    return bool(http("GET", f"{here.base_url}/_findhold?{query}").json)


def test_two_names_of_one_record_and_two_steps_for_it_are_all_told(
    place: Workplace, here: EnvironmentControl
) -> None:
    holding = here.records("hold", "Ylm")[0]
    bib = bib_of(here, holding)
    number(here, bib, thing=[{"@type": "ISBN", "value": "917000059X"}])
    first = {"ids": "ids.txt", "holdings": "own", **NOTE}
    second = {"ids": "more.txt", "append": {"at": "@record.cataloguersNote", "value": "åter"}}
    files = {"ids.txt": f"{bib}\n917000059X\n", "more.txt": f"\n{holding}\n"}
    job = place.job("twice", steps=[first, second], files=files)
    plan = place("plan", job, "--env", "staging").document
    assert (plan["counts"]["update"], plan["counts"]["unchanged"]) == (1, 1)
    lines = lines_of(place, plan["plan"])
    found = [
        (one["source"]["file"], one["source"]["line"], one["code"])
        for line in lines
        for one in (line["inputs"] if line.get("inputs") else [line])
    ]
    assert sorted(found) == [
        ("ids.txt", 1, ""),
        ("ids.txt", 2, "repeated"),
        ("more.txt", 1, "blank"),
        ("more.txt", 2, ""),
    ]


@pytest.mark.parametrize("policy", ["refuse", "all"])
def test_a_number_of_several_bibs(place: Workplace, here: EnvironmentControl, policy: str) -> None:
    holdings = here.records("hold", "Ylm")[:2]
    for holding in holdings:
        number(here, bib_of(here, holding), thing=[{"@type": "ISBN", "value": "917000059X"}])
    step = {"ids": ["917000059X"], "holdings": "own", "on_several": policy, **NOTE}
    job = place.job("several", steps=[step])
    if policy == "refuse":
        plan = place("plan", job, "--env", "staging", expect=3).document
        assert [finding["code"] for finding in plan["findings"]] == ["several_hits"]
        assert all(bib_of(here, one) in plan["findings"][0]["message"] for one in holdings)
    else:
        plan = place("plan", job, "--env", "staging").document
        assert plan["counts"]["update"] == 2


def test_explicit_operations_take_every_dialect_too(
    place: Workplace, here: EnvironmentControl
) -> None:
    bib = next(b for b in here.records("bib") if not here_holds(here, b))
    number(here, bib, thing=[{"@type": "ISBN", "value": "917000059X"}])
    operation = {"create": "holding", "of": "ISBN 91-7000-059-X", "sigel": "Ylm"}
    job = place.job("explicit", operations=[operation])
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["create"] == 1
    assert lines_of(place, plan["plan"])[0]["planned_record"] == bib


def test_a_spreadsheet_is_planned_row_by_row(place: Workplace, here: EnvironmentControl) -> None:
    holdings = here.records("hold", "Ylm")[:3]
    rows = [["Id", "Not"], [holdings[0], "a"], ["", "b"], [holdings[1], "c"], [holdings[0], "a"]]
    job = place.job("sheet", steps=[{"rows": {"file": "t.xlsx", "key": "Id"}, **NOTE}])
    (job / "t.xlsx").write_bytes(xlsx(rows))
    plan = place("plan", job, "--env", "staging", expect=3).document
    lines = lines_of(place, plan["plan"])
    assert told(lines) == {
        2: ("update", ""),
        3: ("refused", "empty_key"),
        4: ("update", ""),
        5: ("left_out", "repeat"),
    }
    assert {line["source"]["file"] for line in lines} == {"t.xlsx[Blad1]"}


def test_values_of_a_row_are_written_to_the_holding_of_its_bib(
    place: Workplace, here: EnvironmentControl
) -> None:
    holdings = here.records("hold", "Ylm")[:2]
    for holding in holdings:
        mark(here, holding, "Hc")
    bibs = [bib_of(here, holding) for holding in holdings]
    rows = f"Bibid;Signum\n(NR){bibs[0]};hx 1\n(NR){bibs[1]};\n".encode("cp1252")
    table = {
        "file": "t.csv",
        "key": "Bibid",
        "clean": {"Bibid": ["strip_prefix((NR))"], "Signum": ["upper"]},
    }
    step = {
        "rows": table,
        "holdings": "own",
        "where": {"shelfMark.label": "Hc"},
        "set": {"at": "shelfMark.label", "to": {"$value": "@row.Signum"}},
    }
    job = place.job("values", steps=[step])
    (job / "t.csv").write_bytes(rows)
    plan = place("plan", job, "--env", "staging", expect=3).document
    lines = {line["planned_record"]: line for line in lines_of(place, plan["plan"])}
    assert lines[holdings[0]]["differences"][0]["after"] == "HX 1"
    assert lines[holdings[1]]["code"] == "value_missing"
    mark(here, holdings[0], "Annat")
    plan = place("plan", job, "--env", "staging", expect=3).document
    lines = {line["planned_record"]: line for line in lines_of(place, plan["plan"])}
    assert (lines[holdings[0]]["action"], lines[holdings[0]]["code"]) == (
        "unchanged",
        "where_not_met",
    )


def mark(here: EnvironmentControl, holding: str, label: str) -> None:
    here.edit(
        holding, set={"shelfMark": {"@type": "ShelfMark", "label": label}, "hasComponent": []}
    )


def put_at(here: EnvironmentControl, holding: str, location: str) -> None:
    here.edit(holding, set={"physicalLocation": [location], "hasComponent": []})


def test_a_search_is_planned_and_tested_again(place: Workplace, here: EnvironmentControl) -> None:
    first, second, third = here.records("hold", "Ylm")[:3]
    for holding, location in ((first, "Qx"), (second, "Qx 2"), (third, "Qx")):
        put_at(here, holding, location)
    here.refresh()
    put_at(here, third, "Annat")  # and the index does not know it
    find = {"@type": "Item", "heldBy.@id": library_iri("Ylm"), "physicalLocation": "Qx"}
    job = place.job("search", steps=[{"find": find, **NOTE}])
    plan = place("plan", job, "--env", "staging").document
    assert (plan["counts"]["update"], plan["counts"]["unchanged"]) == (1, 2)
    lines = {line["planned_record"]: line for line in lines_of(place, plan["plan"])}
    assert lines[first]["action"] == "update"
    assert {lines[second]["code"], lines[third]["code"]} == {"find_not_met"}


SIGNS = ('Hc "röd"', "Hc (ref)", "Hc+1", "Hc -1", "Hc|d", "Hc~2", "Hc\\x", "Hc: A", "AND", "Hc ä")


def test_signs_that_mean_something_in_a_search_are_searched_for(
    place: Workplace, here: EnvironmentControl
) -> None:
    holdings = here.records("hold", "Ylm")[: len(SIGNS)]
    for holding, text in zip(holdings, SIGNS, strict=True):
        put_at(here, holding, text)
    here.refresh()
    own = {"@type": "Item", "heldBy.@id": library_iri("Ylm")}
    steps = [{"find": {**own, "physicalLocation": text}, **NOTE} for text in SIGNS]
    plan = place("plan", place.job("signs", steps=steps), "--env", "staging").document
    planned = [one for one in lines_of(place, plan["plan"]) if one["action"] == "update"]
    assert sorted(one["planned_record"] for one in planned) == sorted(holdings)
    starts = [{"find": {**own, "physicalLocation": "Hc*"}, **NOTE}]
    plan = place("plan", place.job("star", steps=starts), "--env", "staging").document
    assert plan["counts"]["update"] == len(SIGNS) - 1


def test_a_search_takes_parameters_and_finds_nothing(
    place: Workplace, here: EnvironmentControl
) -> None:
    find = {"@type": "Item", "physicalLocation": {"$value": "@param.place"}}
    job = place.job("empty", steps=[{"find": find, **NOTE}], parameters={"place": {}})
    plan = place("plan", job, "--env", "staging", "--param", "place=Ingenstans").document
    assert plan["counts"]["not_found"] == 1
    assert plan["findings"][0]["code"] == "nothing_found"
    put_at(here, here.records("hold", "Ylm")[0], "Qz")
    here.refresh()
    plan = place("plan", job, "--env", "staging", "--param", "place=Qz").document
    assert plan["counts"]["update"] == 1


def test_a_search_for_what_the_index_does_not_hold_is_no_job(place: Workplace) -> None:
    find = {"@type": "Item", "heldBy.@id": library_iri("Ylm"), "exists-shelfMark": "true"}
    job = place.job("short", steps=[{"find": find, **NOTE}])
    for command in (("check", job), ("plan", job, "--env", "staging")):
        said = place(*command, expect=2).document["error"]
        assert "shelfMark" in said["message"]
        assert "`library: Ylm`" in said["hint"]


def searched(place: Workplace, name: str) -> tuple[dict[str, Any], str]:
    """Plan a search at Ylm's place Qy; the plan's document, and what people are told."""
    find = {"@type": "Item", "heldBy.@id": library_iri("Ylm"), "physicalLocation": "Qy"}
    done = place("plan", place.job(name, steps=[{"find": find, **NOTE}]), "--env", "staging")
    return done.document, done.stderr


def test_an_index_that_agrees_with_the_servers_list_is_not_spoken_of(
    place: Workplace, here: EnvironmentControl
) -> None:
    put_at(here, here.records("hold", "Ylm")[0], "Qy")
    here.refresh()
    plan, said = searched(place, "agrees")
    assert plan["findings"] == []
    assert "search index" not in said
    out = place.folder / "agrees.json"
    place("report", plan["plan"], "--format", "json", "--out", out)
    report = json.loads(out.read_text(encoding="utf-8"))
    (chosen,) = report["selections"]
    listed = len(here.records("hold", "Ylm"))
    compared = chosen["note"]["compared"]["Ylm"]
    assert compared["index_total"] == compared["dump_listed"] == listed
    assert not [risk for risk in report["risks"] if risk["code"].startswith("index")]


def test_an_index_that_lacks_live_records_and_keeps_deleted_ones_is_told(
    place: Workplace, here: EnvironmentControl
) -> None:
    first, second, third = here.records("hold", "Ylm")[:3]
    for holding in (first, second, third):
        put_at(here, holding, "Qy")
    here.refresh()
    here.edit(second, delete=True)
    here.edit(third, delete=True)
    plan, said = searched(place, "differs")
    listed = len(here.records("hold", "Ylm"))
    (found,) = [one for one in plan["findings"] if one["code"] == "index_differs"]
    assert found["record"] == "find"
    assert f"has {listed + 2} holdings of Ylm" in found["message"]
    assert f"has {listed}, and since then 0 were created and 0 deleted" in found["message"]
    assert "keeps deleted records and lacks live ones" in said
    lines = {line["planned_record"]: line for line in lines_of(place, plan["plan"])}
    assert lines[first]["action"] == "update"
    for gone in (second, third):
        assert (lines[gone]["action"], lines[gone]["code"]) == ("not_found", "gone")
        assert "the search index keeps it still" in lines[gone]["message"]
    page = place.folder / "differs.html"
    place("report", plan["plan"], "--out", page)
    text = page.read_text(encoding="utf-8")
    assert "Sökindexet har inte lika många bestånd som serverns egen lista." in text
    assert f"Ylm har {listed + 2} bestånd enligt sökindexet och {listed} enligt" in text
    assert "Posten är raderad, men sökindexet har den kvar." in text


def test_what_was_made_since_the_list_counts(place: Workplace, here: EnvironmentControl) -> None:
    own = here.records("hold", "Ylm")
    put_at(here, own[0], "Qy")
    here.refresh()
    assert searched(place, "before")[0]["findings"] == []  # and the server made its list
    here.move_clock(seconds=1)
    here.edit(own[1], delete=True)
    here.refresh()
    assert searched(place, "refreshed")[0]["findings"] == []
    here.edit(own[2], delete=True)
    (found,) = searched(place, "behind")[0]["findings"]
    assert found["code"] == "index_differs"
    assert f"has {len(own) - 1} holdings of Ylm" in found["message"]
    assert f"has {len(own)}, and since then 0 were created and 2 deleted" in found["message"]


def test_a_list_that_cannot_be_read_stops_no_search(
    place: Workplace, here: EnvironmentControl
) -> None:
    put_at(here, here.records("hold", "Ylm")[0], "Qy")
    here.refresh()
    here.fault("status", path="^/api/emm/", status=404)
    try:
        plan, said = searched(place, "unread")
    finally:
        here.clear_faults()
    assert plan["counts"]["update"] == 1
    (found,) = [one for one in plan["findings"] if one["code"] == "index_unchecked"]
    assert "the server's own list could not be read" in found["message"]
    assert "could not be read" in said
    page = place.folder / "unread.html"
    place("report", plan["plan"], "--out", page)
    assert "Serverns egen lista gick inte att läsa" in page.read_text(encoding="utf-8")


def test_bibs_that_a_search_found_lead_to_holdings(
    place: Workplace, here: EnvironmentControl
) -> None:
    holding = here.records("hold", "Ylm")[0]
    bib = bib_of(here, holding)
    number(here, bib, thing=[{"@type": "ISBN", "value": "917000059X"}])
    find = {"@type": "Instance", "identifiedBy.value": "917000059X"}
    job = place.job("bibs", steps=[{"find": find, "holdings": ["Ylm"], **NOTE}])
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["update"] == 1
    number(here, bib, thing=[])
    here.edit(bib, set={"identifiedBy": [{"@type": "ISBN", "value": "9780804429573"}]})
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["update"] == 0


def test_a_whole_library(place: Workplace, here: EnvironmentControl) -> None:
    own = here.records("hold", "Ylm")
    job = place.job("library", steps=[{"library": "Ylm", **NOTE}])
    plan = place("plan", job, "--env", "staging", expect=None).document
    assert sum(plan["counts"].values()) == len(own)
    out = place.folder / "report.json"
    place("report", plan["plan"], "--format", "json", "--out", out)
    (chosen,) = json.loads(out.read_text(encoding="utf-8"))["selections"]
    assert chosen["count"] == len(own)
    assert chosen["note"]["libraries"]["Ylm"]["dump_shown"] == len(own)
    place("report", plan["plan"], "--out", place.folder / "report.html")
    page = (place.folder / "report.html").read_text(encoding="utf-8")
    assert "Steg 1 valde ut" in page
    reads = {"dump": len(own), "bib": 0, "singly": 0, "why_singly": {}}
    assert plan["reads"] == json.loads(out.read_text(encoding="utf-8"))["reads"] == reads
    assert f"Lästa poster: {len(own)} ur serverns utdrag." in page
    singly = place("plan", job, "--env", "staging", "--source", "get", expect=None)
    assert "reads" not in singly.document, "one by one, as ever"
    assert singly.document["requests"] > 2 * plan["requests"]
    assert "records read" not in singly.stderr


def test_the_holdings_of_other_libraries_are_told(
    place: Workplace, here: EnvironmentControl
) -> None:
    held: Counter[str] = Counter()
    bibs: dict[str, str] = {}
    for holding in here.records("hold"):
        item = here.document(holding)["@graph"][1]
        if "itemOf" in item and "heldBy" in item:
            bib = bib_of(here, holding)
            held[bib] += 1
            if item["heldBy"]["@id"] == library_iri("Ylm"):
                bibs[bib] = holding
    bib = max(bibs, key=lambda one: held[one])
    assert held[bib] > 1
    job = place.job("others", steps=[{"ids": [bib], "holdings": "all", **NOTE}])
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["update"] == 1
    assert plan["counts"]["unchanged"] == held[bib] - 1
    codes = Counter(line["code"] for line in lines_of(place, plan["plan"]))
    assert codes["other_library"] == held[bib] - 1


def test_the_report_of_a_run_is_the_next_jobs_input(
    place: Workplace, here: EnvironmentControl
) -> None:
    own = here.records("hold", "Ylm")[:3]
    text = "\n".join([*own, "", own[0], "0000000000zzzzzz"])
    job = place.job("first", steps=[{"ids": "ids.txt", **NOTE}], files={"ids.txt": text})
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document
    assert run["outcomes"]["applied"] == 3
    step = {
        "report": {"file": "run.jsonl"},
        "append": {"at": "@record.cataloguersNote", "value": "x"},
    }
    again = place.job("second", steps=[step])
    place("report", run["run"], "--format", "jsonl", "--out", again / "run.jsonl")
    checked = place("check", again).document
    assert checked["operations"]["update"] == 3
    assert checked["inputs"][0]["left_out"] == {"other_outcome": 3}
    plan = place("plan", again, "--env", "staging").document
    assert plan["counts"]["update"] == 3
    listed = place.job("third", steps=[{"ids": "run.jsonl", **NOTE}])
    (listed / "run.jsonl").write_bytes((again / "run.jsonl").read_bytes())
    checked = place("check", listed).document
    assert checked["operations"]["unreadable"] == 0


def test_the_report_shows_inputs_and_parameters(place: Workplace, here: EnvironmentControl) -> None:
    own = here.records("hold", "Ylm")[:2]
    job = place.job(
        "shown",
        steps=[{"ids": "ids.txt", **NOTE}],
        parameters={"shelf": "<Hce>"},
        files={"ids.txt": "\n".join([*own, own[0], ""])},
    )
    plan = place("plan", job, "--env", "staging").document["plan"]
    for name in ("html", "json", "csv"):
        place("report", plan, "--format", name, "--out", place.folder / f"r.{name}")
    page = (place.folder / "r.html").read_text(encoding="utf-8")
    assert "Vad planen är gjord av" in page
    assert "&lt;Hce&gt;" in page
    assert "upprepningar: 1" in page
    document = json.loads((place.folder / "r.json").read_text(encoding="utf-8"))
    assert document["job"]["parameters"] == {"shelf": "<Hce>"}
    assert document["inputs"][0]["left_out"] == {"repeat": 1}
    assert [(line["code"], line["message"]) for line in document["left_out"]] == [
        ("repeat", "ids.txt:1")
    ]
    table = (place.folder / "r.csv").read_text(encoding="utf-8-sig")
    assert "left_out" in table


def test_a_selection_is_asked_once_for_each_plan(
    place: Workplace, here: EnvironmentControl
) -> None:
    own = here.records("hold", "Ylm")
    job = place.job("broken", steps=[{"library": "Ylm", **NOTE}])
    here.fault("status", status=500, method="GET", path=f"/{own[len(own) // 2]}", times=20)
    process = place.start("plan", job, "--env", "staging", "--source", "get")
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=300)
    document = json.loads(out)
    assert document["state"] == "interrupted", document
    here.clear_faults()
    here.edit(own[0], delete=True)
    here.clear_log()
    resumed = place("resume", document["plan"], expect=None).document
    assert sum(resumed["counts"].values()) == len(own)
    assert not [entry for entry in here.log() if "/api/emm/" in entry["path"]]
