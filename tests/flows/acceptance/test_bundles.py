"""A bundle proves plan, answer, run and report on another machine, and shows any edit."""

import hashlib
import json
import re
import zipfile

import pytest

from bulkrunner.sandbox import seed
from tests.support.answers import Key
from tests.support.cli import Workplace, update_label
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as control:
        yield control


@pytest.fixture(scope="module")
def karin(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("keys"), "karin.ek")


@pytest.fixture(scope="module")
def supplier(sandbox, karin, tmp_path_factory):
    """A signed and finished production run, and the bundle of it."""
    own = seed.example_ids(
        kind="holding", sigel="Ylm", shelf_mark="Hc", bibs=BIBS, holdings=HOLDINGS
    )
    place = Workplace(folder=tmp_path_factory.mktemp("supplier"), sandbox=sandbox)
    (place.folder / "reviewers").write_text(karin.line(), encoding="utf-8")
    place.configure(policy={"reviewers": "reviewers"})
    operations = [*update_label(own[:3], to="Hans"), {"delete": own[3]}]
    job = place.job("proof", operations=operations)
    place.job("other", operations=update_label(own[4:5], to="Hans"))
    plan = place.through_staging(job).document["plan"]
    place("plan", place.folder / "jobs" / "other", "--env", "staging")
    draft = place.folder / "answer.txt"
    told = ["--by", "Karin Ek", "--reference", "KB 1", "--exclude", f"{plan}.1"]
    place("approve", plan, *told, "--draft", draft)
    text = draft.read_text(encoding="utf-8")
    draft.write_text(text + karin.sign(text), encoding="utf-8")
    place("approve", "--from", draft)
    run = place("run", job, "--env", "production").document["run"]
    place.plan, place.run = plan, run
    return place


@pytest.fixture(scope="module")
def bundle(supplier, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "proof.zip"
    done = supplier("ledger", "export", supplier.run, "--out", path).document
    assert done["state"] == "exported"
    assert done["path"] == str(path)
    return path


@pytest.fixture
def elsewhere(sandbox, tmp_path):
    """Another machine: no ledger, no configuration of the supplier's."""
    return Workplace(folder=tmp_path / "elsewhere", sandbox=sandbox, ledgerless=True)


def test_it_is_verified_without_the_ledger(elsewhere, supplier, bundle):
    done = elsewhere("ledger", "check", bundle)
    assert done.document["state"] == "intact"
    found = done.document["bundle"]
    assert (found["plan"], found["run"]) == (supplier.plan, supplier.run)
    assert found["counts"]["update"] == 3
    assert found["outcomes"] == {"applied": 3, "refused": 1}
    (answer,) = found["answers"]
    assert answer["signed_by"] == "karin.ek@kb.se"
    assert answer["key"].startswith("SHA256:")
    assert answer["conditions"] == {"excluded": [f"{supplier.plan}.1"]}
    assert answer["counts"] is True
    assert "signed by karin.ek@kb.se" in done.stderr
    assert "conditions: 1 excluded" in done.stderr
    assert not elsewhere.ledger.exists()


def test_its_head_is_the_ledger_s_and_goes_on_from_the_report_that_was_approved(
    elsewhere, supplier, bundle
):
    head = elsewhere("ledger", "check", bundle).document["head"]
    assert supplier("ledger", "check", "--against", head).document["state"] == "intact"
    path = supplier.folder / "plan.json"
    supplier("report", supplier.plan, "--format", "json", "--out", path)
    with zipfile.ZipFile(bundle) as archive:
        answered = json.loads(archive.read("approvals.jsonl"))["head"]
    done = elsewhere("ledger", "check", bundle, "--against", answered)
    assert done.document["against"]["since"] > 0
    assert "it goes on from the head given" in done.stderr
    assert "compare the head" not in done.stderr
    written = head.removeprefix("sha256:").upper()
    done = elsewhere("ledger", "check", bundle, "--against", written)
    assert done.document["against"]["since"] == 0
    elsewhere("ledger", "check", bundle, "--against", "abc", expect=2)
    other = "sha256:" + "0" * 64
    done = elsewhere("ledger", "check", bundle, "--against", other, expect=4).document
    assert other in done["error"]["message"]


def test_reviewers_of_one_s_own_can_be_asked_for(elsewhere, bundle, karin, tmp_path):
    path = tmp_path / "reviewers"
    path.write_text(karin.line(), encoding="utf-8")
    assert elsewhere("ledger", "check", bundle, "--reviewers", path).exit_code == 0
    path.write_text(Key(tmp_path, "other").line(), encoding="utf-8")
    done = elsewhere("ledger", "check", bundle, "--reviewers", path, expect=4).document
    assert "key of no reviewer" in done["error"]["message"]


def test_the_report_in_it_is_the_run_s(supplier, bundle):
    with zipfile.ZipFile(bundle) as archive:
        report = json.loads(archive.read("report.json"))
        readme = archive.read("README.txt").decode()
    assert report["run"]["id"] == supplier.run
    assert "SHA-256" in readme


def test_anybody_can_follow_the_events_with_the_formula_of_the_readme(bundle):
    with zipfile.ZipFile(bundle) as archive:
        head = json.loads(archive.read("bundle.json"))
        events = [json.loads(line) for line in archive.read("events.jsonl").splitlines()]
    before = {"": head["before"]["hash"], head["run"]: "sha256:" + "0" * 64}
    for event in events:
        parts = [event[name] for name in ("chain", "position", "at", "kind", "data")]
        packed = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = bytes.fromhex(before[event["chain"]].removeprefix("sha256:"))
        digest = hashlib.sha256(previous + packed.encode()).hexdigest()
        assert event["hash"] == f"sha256:{digest}"
        before[event["chain"]] = event["hash"]
    assert before[""] == head["head"]


def test_of_several_answers_it_says_which_one_counts(place, own, elsewhere, tmp_path):
    job = place.job("several", operations=update_label(own[6:7], to="Hans"))
    plan = place.approved(job)
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 2", "--per-night", "7")
    path = tmp_path / "several.zip"
    place("ledger", "export", plan, "--out", path)
    done = elsewhere("ledger", "check", path)
    answers = [(one["reference"], one["counts"]) for one in done.document["bundle"]["answers"]]
    assert answers == [("KB 1", False), ("KB 2", True)]
    assert "counts no more" in done.stderr
    assert "at most 7 a night" in done.stderr
    place("reject", plan, "--by", "Ulla", "--reference", "KB 3")
    again = tmp_path / "rejected.zip"
    place("ledger", "export", plan, "--out", again)
    answers = elsewhere("ledger", "check", again).document["bundle"]["answers"]
    assert [one["counts"] for one in answers] == [False, False, True]


def test_a_plan_alone_can_be_exported(elsewhere, supplier, tmp_path):
    path = tmp_path / "plan.zip"
    supplier("ledger", "export", supplier.plan, "--out", path)
    found = elsewhere("ledger", "check", path).document
    assert found["bundle"]["run"] is None
    assert found["bundle"]["outcomes"] == {}


# --- edited -------------------------------------------------------------------------------------


def edited(bundle, path, change):
    """Write the bundle anew; ``change`` gets and returns every member by name."""
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members = change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def consistently(name, old, new):
    """Edit a member, and its digest in the head as well."""

    def change(members):
        content = re.sub(old, new, members[name], count=1)
        assert content != members[name], (name, old)
        head = json.loads(members["bundle.json"])
        if name != "bundle.json":
            head["members"][name] = f"sha256:{hashlib.sha256(content).hexdigest()}"
            members["bundle.json"] = json.dumps(head).encode()
        return {**members, name: content}

    return change


def without_line(name, number):
    def change(members):
        rows = members[name].splitlines(keepends=True)
        del rows[number]
        return consistently(name, re.escape(members[name]), lambda _: b"".join(rows))(members)

    return change


def swapped(name):
    def change(members):
        rows = members[name].splitlines(keepends=True)
        rows[0], rows[1] = rows[1], rows[0]
        return consistently(name, re.escape(members[name]), lambda _: b"".join(rows))(members)

    return change


EDITS = {
    "an outcome": (
        consistently("results.jsonl", rb'"outcome":"refused"', b'"outcome":"applied"'),
        "the outcome of change 1 is not as its event stored it",
    ),
    "an outcome removed": (without_line("results.jsonl", 2), "outcomes are missing"),
    "an attempt": (
        consistently("attempts.jsonl", rb'"status":204', b'"status":200'),
        "the answer to attempt 1 of change 2",
    ),
    "an attempt removed": (without_line("attempts.jsonl", 0), "attempts are missing"),
    "an event": (
        consistently("events.jsonl", rb'"kind":"changes_added"', b'"kind":"changes_aided"'),
        "does not fit the one before it",
    ),
    "an event removed": (without_line("events.jsonl", 3), "is missing"),
    "two events swapped": (swapped("events.jsonl"), "is missing"),
    "a change": (
        consistently("changes.jsonl", rb'"given":"', b'"given":"x'),
        "change 1 is not as event",
    ),
    "a change removed": (without_line("changes.jsonl", 3), "changes"),
    "two changes swapped": (swapped("changes.jsonl"), "change 1 is not in its place"),
    "a document": (
        consistently("changes.jsonl", rb'"label":"Hans"', b'"label":"Hxyz"'),
        "document sha256:",
    ),
    "the plan": (
        consistently("plan.json", rb'"environment":"production"', b'"environment":"prediction"'),
        "is not as its event stored it",
    ),
    "the plan's policy": (
        consistently("plan.json", rb'"min_staging_coverage":0.95', b'"min_staging_coverage":0.05'),
        "is not as its event stored it",
    ),
    "the approver": (
        consistently("approvals.jsonl", rb'"given_by":"Karin Ek"', b'"given_by":"Ulla Ek"'),
        "the answer of Ulla Ek (KB 1) is not as its event stored it",
    ),
    "the signature": (
        consistently("approvals.jsonl", rb'"signature":"[^"]+"', b'"signature":null'),
        "is not as its event stored it",
    ),
    "the approval removed": (without_line("approvals.jsonl", 0), "an answer is missing"),
    "the run": (
        consistently("run.json", rb'"state":"completed"', b'"state":"stopped"'),
        "is not as its event stored it",
    ),
    "the head": (
        consistently("bundle.json", rb'"head": "sha256:\w{8}', b'"head": "sha256:00000000'),
        "does not end at the bundle's head",
    ),
    "another plan's name": (
        consistently("bundle.json", rb'"plan": "p-\w+"', b'"plan": "p-0000000000"'),
        "plan",
    ),
    "the report": (
        lambda members: {**members, "report.json": members["report.json"] + b" "},
        "report.json of the bundle was changed afterwards",
    ),
    "the report, and its digest": (
        consistently("report.json", rb'"outcome":"refused"', b'"outcome":"applied"'),
        "the report is not the one that the bundle was made with",
    ),
    "how many requests the run took": (
        consistently("run.json", rb'"requests":\d+', b'"requests":99'),
        "requests of run",
    ),
    "how far the plan had come": (
        consistently("plan.json", rb'"cursor":\d+', b'"cursor":99'),
        "cursor of plan",
    ),
    "a member removed": (
        lambda members: {n: c for n, c in members.items() if n != "results.jsonl"},
        "has not the members that a bundle has",
    ),
    "a member added": (lambda members: {**members, "x": b""}, "has not the members"),
    "no JSON": (consistently("results.jsonl", rb"^.", b"?"), "holds what no bundle holds"),
}


@pytest.mark.parametrize(("change", "words"), EDITS.values(), ids=EDITS)
def test_any_edit_is_found_and_named(elsewhere, bundle, tmp_path, change, words):
    path = edited(bundle, tmp_path / "edited.zip", change)
    done = elsewhere("ledger", "check", path, expect=4).document
    assert done["error"]["code"] == "chain_broken"
    assert words in done["error"]["message"], done["faults"]


def test_any_damage_is_found(elsewhere, bundle, tmp_path):
    content = bytearray(bundle.read_bytes())
    path = tmp_path / "damaged.zip"
    for place in range(200, len(content), len(content) // 25):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(bytes(damaged))
        done = elsewhere("ledger", "check", path, expect=None)
        assert done.exit_code in (2, 4) or done.document["bundle"]["plan"], place


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"{}"])
def test_what_is_no_bundle(elsewhere, tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    done = elsewhere("ledger", "check", path, expect=2).document
    assert done["error"]["code"] == "not_a_bundle"
    done = elsewhere("ledger", "check", tmp_path / "nothing.zip", expect=2).document
    assert done["error"]["code"] == "not_a_bundle"


def test_a_bundle_of_a_later_form_is_left_alone(elsewhere, bundle, tmp_path):
    later = consistently("bundle.json", rb'"bundle": 1', b'"bundle": 99')
    path = edited(bundle, tmp_path / "later.zip", later)
    assert elsewhere("ledger", "check", path, expect=2).document["error"]["code"] == "not_a_bundle"
