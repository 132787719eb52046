"""Functions on the road of a job: planned, tried, refused, run, in both environments."""

from __future__ import annotations

import json

import pytest

from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

LIBRARY = "https://libris.kb.se/library/"


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as control:
        yield control


@pytest.fixture
def place(tmp_path, sandbox):
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture(scope="module")
def own(sandbox):
    both = set(sandbox.staging.records(sigel="Ylm")) & set(sandbox.production.records(sigel="Ylm"))
    return sorted(both)


def job(place, name, text, ids, *, function="rules:change", **more):
    files = {"rules.py": text, **more.pop("files", {})}
    step = {"ids": ids, "function": function, **more.pop("step", {})}
    return place.job(name, files=files, steps=[step], **more)


NOTE = """\
def change(record, context):
    item = record["@graph"][1]
    item["hasNote"] = [{"@type": "Note", "label": "Från funktionen"}]
    return record
"""


def test_a_changed_record_goes_the_whole_road(place, own, sandbox):
    records = own[:3]
    folder = job(place, "noted", NOTE, records)
    place("check", folder)
    plan = place("plan", folder, "--env", "staging").document
    assert plan["counts"]["update"] == 3
    place("run", folder, "--env", "staging")
    production = place("plan", folder, "--env", "production").document["plan"]
    place("approve", production, "--by", "Karin Ek", "--reference", "KB 1")
    run = place("run", folder, "--env", "production").document
    assert run["outcomes"]["applied"] == 3
    for record in records:
        item = sandbox.production.document(record)["@graph"][1]
        assert item["hasNote"] == [{"@type": "Note", "label": "Från funktionen"}]
    assert place("verify", run["run"]).exit_code == 0
    again = place("plan", folder, "--env", "production").document
    assert again["counts"]["unchanged"] == 3


def test_plan_and_report_say_what_the_function_is_and_how_it_is_held(place, own):
    folder = job(place, "said", NOTE, own[3:4])
    plan = place("plan", folder, "--env", "staging").document["plan"]
    path = place.folder / "plan.json"
    place("report", plan, "--format", "json", "--out", path)
    text = path.read_text(encoding="utf-8")
    assert "Landlock" in text
    assert "rules:change" in text


def test_skip_refuse_and_delete(place, own, sandbox):
    skip, refuse, delete = own[4:7]
    text = (
        "def change(record, context):\n"
        f"    if context.id == {skip!r}:\n        return {{'skip': 'är redan bra'}}\n"
        f"    if context.id == {refuse!r}:\n        return {{'refuse': 'går inte'}}\n"
        "    return {'delete': context.id}\n"
    )
    accept = [{"code": "refused_by_function", "at_most": 1, "reason": "känt"}]
    folder = job(place, "mixed", text, own[4:7], accept=accept)
    plan = place("plan", folder, "--env", "staging").document
    counts = {name: count for name, count in plan["counts"].items() if count}
    assert counts == {"unchanged": 1, "refused": 1, "delete": 1}
    assert {(f["code"], f["message"]) for f in plan["findings"] if f["record"] == refuse} == {
        ("refused_by_function", "går inte")
    }
    place("run", folder, "--env", "staging")
    assert sandbox.staging.get(delete).status == 410
    assert sandbox.staging.get(refuse).status == 200


def test_several_operations_in_order(place, own, sandbox):
    first, second = own[7:9]
    text = (
        "def change(record, context):\n"
        "    note = {'@type': 'Note', 'label': 'från den andra'}\n"
        f"    keep = {{'update': {second!r}, 'changes': [{{'append': {{'at': 'cataloguersNote', 'value': 'övertagen'}}}}]}}\n"
        "    return [keep, {'delete': context.id}]\n"
    )
    folder = job(place, "merged", text, [first])
    plan = place("plan", folder, "--env", "staging").document
    assert plan["counts"]["update"] == 1
    assert plan["counts"]["delete"] == 1
    run = place("run", folder, "--env", "staging").document
    assert run["outcomes"]["applied"] == 2
    assert sandbox.staging.get(first).status == 410
    item = sandbox.staging.document(second)["@graph"][1]
    assert "övertagen" in json.dumps(item["cataloguersNote"], ensure_ascii=False)
    # The deletion was sent last.
    writes = [
        w["path"] for w in sandbox.staging.writes() if w["path"] in (f"/{first}", f"/{second}")
    ]
    assert writes[-2:] == [f"/{second}", f"/{first}"]


def test_an_operation_that_is_refused_takes_those_after_it_along(place, own, sandbox):
    record = own[9]
    text = (
        "def change(record, context):\n"
        "    wrong = {'update': '0000000000000bb', 'changes': [{'remove': {'at': 'hasNote'}}]}\n"
        "    return [wrong, {'delete': context.id}]\n"
    )
    folder = job(place, "stopped", text, [record])
    plan = place("plan", folder, "--env", "staging", expect=3).document
    assert plan["counts"]["delete"] == 0
    assert {finding["code"] for finding in plan["findings"]} >= {"prerequisite"}
    assert sandbox.staging.get(record).status == 200


def test_two_operations_on_one_record_are_refused(place, own):
    record = own[14]
    text = (
        "def change(record, context):\n"
        "    one = {'update': context.id, 'changes': [{'remove': {'at': 'hasNote'}}]}\n"
        "    return [{**one, 'changes': [{'set': {'at': 'hasNote', 'to': []}}]}, one]\n"
    )
    folder = job(place, "twice", text, [record])
    plan = place("plan", folder, "--env", "staging", expect=3).document
    codes = [finding["code"] for finding in plan["findings"]]
    assert codes == ["prerequisite", "duplicate_operation"]
    assert plan["counts"]["update"] == 0


def test_a_foreign_holding_is_refused_before_the_function_sees_it(place, sandbox):
    foreign = next(
        record
        for record in sandbox.staging.records()
        if sandbox.staging.document(record)["@graph"][1].get("heldBy", {}).get("@id")
        == LIBRARY + "S"
    )
    folder = job(place, "foreign", NOTE, [foreign])
    plan = place("plan", folder, "--env", "staging", expect=3).document
    assert plan["findings"][0]["code"] == "foreign_sigel"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            "record['@graph'][1]['heldBy'] = {'@id': 'https://libris.kb.se/library/S'}",
            "forbidden_place",
        ),
        ("record['@graph'][0]['controlNumber'] = '1'", "forbidden_place"),
        ("record['@graph'][1]['@id'] += 'x'", "forbidden_place"),
        ("record['@graph'].append({})", "function_answer"),
        (
            "record['@graph'][1]['hasComponent'] = [{'@type': 'Item', 'heldBy': {'@id': 'https://libris.kb.se/library/S'}}]",
            "foreign_component",
        ),
    ],
)
def test_what_a_function_may_not_change(place, own, line, code):
    folder = job(
        place, "kept", f"def change(record, context):\n    {line}\n    return record\n", own[10:11]
    )
    plan = place("plan", folder, "--env", "staging", expect=3).document
    assert [finding["code"] for finding in plan["findings"]] == [code]


def test_holdings_created_on_bibs_that_it_only_looks_at(place, sandbox):
    held = {
        sandbox.staging.document(record)["@graph"][1]["itemOf"]["@id"]
        for record in sandbox.staging.records(sigel="Ylm")
    }
    bib = next(
        b for b in sandbox.staging.records("bib") if sandbox.staging.thing_iri(b) not in held
    )
    text = (
        "def create_for(record, context):\n"
        "    title = record['@graph'][1]['hasTitle'][0]['mainTitle']\n"
        "    note = {'@type': 'Note', 'label': title}\n"
        "    return {'create': 'holding', 'of': context.id, 'sigel': 'Ylm', 'body': {'hasNote': [note]}}\n"
    )
    folder = job(place, "made", text, [bib], function={"call": "rules:create_for", "on": "bib"})
    plan = place("plan", folder, "--env", "staging").document
    assert plan["counts"]["create"] == 1
    run = place("run", folder, "--env", "staging").document
    assert run["outcomes"]["applied"] == 1


def test_a_changed_function_is_another_manifest(place, own):
    folder = job(place, "digest", NOTE, own[11:12])
    place("plan", folder, "--env", "staging")
    (folder / "rules.py").write_text(NOTE.replace("Från", "Ur"), encoding="utf-8")
    assert place("run", folder, "--env", "staging", expect=4).closed == {"plan"}


def test_the_policy_wants_no_functions(place, own):
    folder = job(place, "none", NOTE, own[12:13])
    place.configure(policy={"functions": "none"})
    refused = place("plan", folder, "--env", "staging", expect=2)
    assert refused.document["error"]["code"] == "functions_forbidden"


@pytest.fixture
def without_confinement(monkeypatch, tmp_path):
    """Let the processes find no library that could confine them."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "pyseccomp.py").write_text("raise RuntimeError('Unable to find libseccomp')\n")
    monkeypatch.syspath_prepend(str(hidden))


@pytest.mark.usefixtures("without_confinement")
def test_where_it_cannot_be_confined_the_plan_is_refused(place, own, sandbox):
    folder = job(place, "unheld", NOTE, own[15:16])
    writes = len(sandbox.staging.writes())
    refused = place("plan", folder, "--env", "staging", expect=2)
    assert refused.document["plan"] is None
    assert "libseccomp is not installed" in refused.document["error"]["message"]
    assert '[policy] functions = "any"' in refused.document["error"]["hint"]
    assert len(sandbox.staging.writes()) == writes


@pytest.mark.usefixtures("without_confinement")
def test_unless_the_policy_says_any_and_then_plan_and_report_say_so(place, own):
    folder = job(place, "any", NOTE, own[16:17])
    place.configure(policy={"functions": "any"})
    plan = place("plan", folder, "--env", "staging").document
    assert plan["counts"]["update"] == 1
    for form in ("html", "json"):
        path = place.folder / f"plan.{form}"
        place("report", plan["plan"], "--format", form, "--out", path)
        assert "time and memory only" in path.read_text(encoding="utf-8"), form
    assert "Hur funktioner i jobbet får köras" in (place.folder / "plan.html").read_text("utf-8")


def test_the_page_shows_the_source_and_how_it_was_held(place, own):
    """The reviewer sees what decided the changes, as text and never as anything else."""
    text = "# <script>alert(1)</script> \u202e\x1b\n" + NOTE + "# rad\n" * 600
    folder = job(place, "source", text, own[17:18])
    plan = place("plan", folder, "--env", "staging").document["plan"]
    path = place.folder / "plan.html"
    place("report", plan, "--out", path)
    page = path.read_text(encoding="utf-8")
    assert "rules:change" in page
    assert "utan nät" in page
    assert "Från funktionen&#34;}]" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\n    item = record[" in page
    assert "<script>alert(1)" not in page
    assert "\u202e" not in page
    assert "105 rader till" in page


def test_a_policy_of_any_and_a_manifest_that_wants_confinement(place, own):
    """Of two the stricter one counts."""
    place.configure(policy={"functions": "any"})
    folder = job(place, "stricter", NOTE, own[18:19], policy={"functions": "confined"})
    plan = place("plan", folder, "--env", "staging").document["plan"]
    path = place.folder / "plan.json"
    place("report", plan, "--format", "json", "--out", path)
    assert json.loads(path.read_text("utf-8"))["plan"]["policy"]["functions"] == "confined"


def test_faults_of_the_function_are_faults_of_the_job(place, own):
    folder = job(place, "faulty", "import requests\n" + NOTE, own[13:14])
    refused = place("check", folder, expect=2)
    assert "rules.py:1:1" in json.dumps(refused.document) + refused.stderr


ONCE = """\
def change(record, context):
    item = record["@graph"][1]
    if item.get("inventoryLevel") == 7:
        return {"refuse": "asked twice"}
    item["inventoryLevel"] = 7
    return record
"""


def test_what_an_earlier_run_has_done_is_not_asked_again(place, own):
    """As with every other step: neither the condition nor the function sees its own work."""
    record = own[20]
    where = {"not": {"inventoryLevel": 7}}
    folder = job(place, "once", ONCE, [record], step={"where": where})
    place("plan", folder, "--env", "staging")
    run = place("run", folder, "--env", "staging").document["run"]
    again = place("plan", folder, "--env", "staging").document
    assert again["counts"]["unchanged"] == 1
    (change,) = planned_changes(place, again["plan"])
    assert (change["code"], run in change["message"]) == ("applied_earlier", True)


def test_what_an_earlier_run_has_done_counts_as_tried_again(place, own):
    """The second plan tells the operation that was carried out, not that nothing is left of it."""
    record = own[21]
    folder = job(place, "tried", ONCE, [record])
    first = place("plan", folder, "--env", "staging").document["plan"]
    place("run", folder, "--env", "staging")
    again = place("plan", folder, "--env", "staging").document["plan"]
    operations = [
        change["operation"] for plan in (first, again) for change in planned_changes(place, plan)
    ]
    assert operations[0] == operations[1]


def test_where_it_was_not_met_and_is_not_done_it_says_so(place, own):
    folder = job(place, "unmet", ONCE, [own[22]], step={"where": {"inventoryLevel": 99}})
    plan = place("plan", folder, "--env", "staging").document["plan"]
    (change,) = planned_changes(place, plan)
    assert (change["action"], change["code"]) == ("unchanged", "where_not_met")


@pytest.mark.parametrize("alone", [True, False])
def test_a_record_that_it_had_deleted_is_done(place, own, alone):
    record, other = own[23:25] if alone else own[25:27]
    note = {"update": other, "changes": [{"append": {"at": "cataloguersNote", "value": "x"}}]}
    rest = "" if alone else f"{note!r}, "
    text = (
        "def change(record, context):\n"
        "    item = record['@graph'][1]\n"
        f"    return [{rest}{{'delete': context.id}}]\n"
    )
    folder = job(place, f"gone-{alone}".lower(), text, [record])
    place("plan", folder, "--env", "staging")
    place("run", folder, "--env", "staging")
    again = place("plan", folder, "--env", "staging").document
    (change,) = planned_changes(place, again["plan"])
    assert (change["action"], change["code"]) == ("unchanged", "applied_earlier")


def test_a_record_that_somebody_else_deleted_is_not_found(place, own, sandbox):
    """The function is not given an empty record."""
    record = own[27]
    sandbox.staging.edit(record, delete=True)
    folder = job(place, "not-there", ONCE, [record])
    plan = place("plan", folder, "--env", "staging").document
    assert plan["counts"]["not_found"] == 1
    assert [found["code"] for found in plan["findings"]] == ["gone"]


def planned_changes(place, plan):
    page = place.folder / f"{plan}.json"
    place("report", plan, "--format", "json", "--out", page)
    return json.loads(page.read_text(encoding="utf-8"))["changes"]
