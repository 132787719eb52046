"""Answers that are recorded again, late, or in another order than they were given."""

import json

import pytest

from tests.support.answers import Key
from tests.support.cli import update_label

PLAIN = ["--by", "Karin Ek", "--reference", "KB 1"]


@pytest.fixture
def job(place, own):
    return place.job("replayed", operations=update_label(own[:3], to="Hans"))


@pytest.fixture
def karin(tmp_path):
    return Key(tmp_path, "karin.ek")


@pytest.fixture
def plan(place, job):
    return place.through_staging(job).document["plan"]


@pytest.fixture
def signed_plan(place, job, karin):
    (place.folder / "reviewers").write_text(karin.line(), encoding="utf-8")
    place.configure(policy={"reviewers": "reviewers"})
    return place.through_staging(job).document["plan"]


def gate(place, plan):
    gates = place("status", plan).document["gates"]
    return next(one for one in gates if one["name"] == "approval")


def report(place, plan):
    path = place.folder / "report.json"
    place("report", plan, "--format", "json", "--out", path)
    return json.loads(path.read_text(encoding="utf-8"))


def named_head(place, plan):
    rows = report(place, plan)["answer_text"].splitlines()
    return next(row for row in rows if row.startswith("Liggarens")).partition(": ")[2]


def mail(place, plan, name, *, per_night="", by="Karin Ek", reference="KB 1"):
    """A yes to the report as it is now."""
    rows = report(place, plan)["answer_text"].splitlines()
    values = {"Högst per natt:": per_night, "Namn:": by, "Ärendenummer:": reference}
    text = (
        "\n".join(f"{row.rstrip()} {values.get(row.strip(), '')}".rstrip() for row in rows) + "\n"
    )
    path = place.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def sign(path, key):
    """Put a signature under the text of an answer."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text + key.sign(text), encoding="utf-8")
    return path


def refused(place, code, *command):
    done = place(*command, expect=2)
    assert done.document["error"]["code"] == code
    assert done.document["error"]["hint"]
    assert done.document["answer"] is None
    return done.document["error"]["message"]


def test_a_signed_yes_does_not_open_production_again_after_a_no(place, signed_plan, job, karin):
    path = sign(mail(place, signed_plan, "svar.txt"), karin)
    place("approve", "--from", path)
    assert gate(place, signed_plan)["open"]
    place("reject", signed_plan, *PLAIN)
    refused(place, "answer_too_old", "approve", "--from", path)
    assert not gate(place, signed_plan)["open"]
    assert place("run", job, "--env", "production", expect=4).closed == {"approval"}
    assert place.sandbox.production.writes() == []


@pytest.mark.parametrize(
    "save",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: "".join(f"> {row}\n" for row in text.splitlines()).encode(),
        lambda text: text.replace("Karin Ek", "Karin  Ek").encode(),
        lambda text: text.replace("KB 1", "kb\u00a01").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
    ],
)
def test_nor_the_same_answer_saved_otherwise(place, plan, save):
    path = mail(place, plan, "svar.txt")
    place("approve", "--from", path)
    place("reject", plan, *PLAIN)
    path.write_bytes(save(path.read_text(encoding="utf-8")))
    refused(place, "answer_too_old", "approve", "--from", path)
    assert not gate(place, plan)["open"]


def test_nor_a_yes_that_was_given_before_the_no_and_never_recorded(place, plan):
    old = mail(place, plan, "old.txt", reference="KB 7")
    place("reject", plan, *PLAIN)
    message = refused(place, "answer_too_old", "approve", "--from", old)
    assert "older than the no of Karin Ek (KB 1)" in message
    refused(place, "answer_too_old", "approve", "--from", old, "--replace")
    assert not gate(place, plan)["open"]
    new = mail(place, plan, "new.txt", reference="KB 8")
    place("approve", "--from", new)
    assert gate(place, plan)["open"]


def test_nor_a_colleague_s_yes_from_before_the_no(place, plan):
    old = mail(place, plan, "old.txt", by="Ulla")
    place("reject", plan, *PLAIN)
    refused(place, "answer_too_old", "approve", "--from", old)
    assert not gate(place, plan)["open"]


def test_an_older_plain_yes_does_not_undo_a_newer_one_with_conditions(place, plan):
    plain = mail(place, plan, "plain.txt")
    place("approve", "--from", plain)
    strict = mail(place, plan, "strict.txt", per_night="2", reference="KB 2")
    place("approve", "--from", strict)
    for more in ([], ["--replace"]):
        refused(place, "answer_too_old", "approve", "--from", plain, *more)
    assert place("status", plan).document["plans"][0]["conditions"] == {"per_night": 2}


def test_nor_one_that_was_never_recorded(place, plan):
    plain = mail(place, plan, "plain.txt", reference="KB 9")
    place("approve", plan, "--by", "Ulla", "--reference", "KB 3")
    place("approve", plan, *PLAIN, "--per-night", "2")
    message = refused(place, "answer_too_old", "approve", "--from", plain, "--replace")
    assert "more strictly" in message
    assert place("status", plan).document["plans"][0]["conditions"] == {"per_night": 2}


def test_the_same_answer_twice_is_one(place, plan):
    path = mail(place, plan, "svar.txt", per_night="2")
    place("approve", "--from", path)
    again = place("approve", "--from", path)
    assert again.document["answer"] == "approved"
    assert "recorded before, and nothing was recorded now" in again.stderr
    assert len(report(place, plan)["approvals"]) == 1


def test_the_same_signature_twice_is_one_person(place, job, karin):
    (place.folder / "reviewers").write_text(karin.line(), encoding="utf-8")
    (place.folder / "policy.toml").write_text(
        '[[rule]]\nid = "two"\nkind = "approvers"\nabove = 1\nsource = "KB"\n', encoding="utf-8"
    )
    place.configure(policy={"reviewers": "reviewers", "rules": "policy.toml"})
    plan = place.through_staging(job).document["plan"]
    place("approve", "--from", sign(mail(place, plan, "a.txt"), karin))
    place("approve", "--from", sign(mail(place, plan, "b.txt", by="Ulla", reference="2"), karin))
    assert "1 of the 2 people" in gate(place, plan)["reason"]


@pytest.mark.parametrize(
    ("strict", "looser", "said"),
    [
        (["--per-night", "5", "--not-before", "2026-01-01"], [], "at most 5 a night, not before"),
        (["--per-night", "5"], ["--per-night", "6"], "at most 5 a night"),
        (["--not-before", "2026-01-02"], ["--not-before", "2026-01-01"], "not before 2026-01-02"),
        (["--exclude", "{0}", "--exclude", "{1}"], ["--exclude", "{1}"], "1 excluded"),
        (["--per-night", "5"], ["--not-before", "2026-01-01"], "at most 5 a night"),
    ],
)
def test_a_looser_answer_must_be_asked_for(place, plan, own, strict, looser, said):
    strict, looser = ([word.format(*own) for word in words] for words in (strict, looser))
    place("approve", plan, *PLAIN, *strict)
    kept = place("status", plan).document["plans"][0]["conditions"]
    message = refused(place, "answer_looser", "approve", plan, *PLAIN, *looser)
    assert said in message
    assert "Karin Ek (KB 1)" in message
    assert place("status", plan).document["plans"][0]["conditions"] == kept
    done = place("approve", plan, *PLAIN, *looser, "--replace")
    assert f"no longer asked for: {said}" in done.stderr
    assert place("status", plan).document["plans"][0]["conditions"] == done.document["conditions"]


def test_a_stricter_answer_needs_nothing(place, plan):
    place("approve", plan, *PLAIN, "--per-night", "5")
    done = place("approve", plan, *PLAIN, "--per-night", "4", "--not-before", "2026-01-01")
    assert "no longer" not in done.stderr
    assert place("status", plan).document["plans"][0]["conditions"] == {
        "per_night": 4,
        "not_before": "2026-01-01",
    }


def test_a_no_between_them_does_not_drop_conditions_silently(place, plan):
    place("approve", plan, *PLAIN, "--per-night", "5")
    place("reject", plan, *PLAIN)
    refused(place, "answer_looser", "approve", plan, *PLAIN)
    place("approve", plan, *PLAIN, "--replace")
    assert place("status", plan).document["plans"][0]["conditions"] == {}


def test_the_name_written_otherwise_is_the_same_person(place, plan):
    place("approve", plan, "--by", "Jörgen Åberg", "--reference", "1", "--per-night", "5")
    other = ["--by", "jo\u0308rgen  A\u030aBERG", "--reference", "1"]
    refused(place, "answer_looser", "approve", plan, *other)


def test_two_spellings_of_a_name_are_not_two_people(place, job):
    (place.folder / "policy.toml").write_text(
        '[[rule]]\nid = "two"\nkind = "approvers"\nabove = 1\nsource = "KB"\n', encoding="utf-8"
    )
    place.configure(policy={"rules": "policy.toml"})
    plan = place.through_staging(job).document["plan"]
    for name in ("Jörgen Åberg", "Jo\u0308rgen A\u030aberg", "JÖRGEN ÅBERG", "Åberg, Jörgen"):
        place("approve", plan, "--by", name, "--reference", "1")
        assert "1 of the 2 people" in gate(place, plan)["reason"]
    place("approve", plan, "--by", "Ulla", "--reference", "1")
    assert gate(place, plan)["open"]


def test_a_head_from_before_the_plan_is_another_plan_s(place, job):
    old = place.through_staging(job).document["plan"]
    head = named_head(place, old)
    plan = place("plan", job, "--env", "production").document["plan"]
    path = mail(place, plan, "svar.txt")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(named_head(place, plan), head), encoding="utf-8")
    message = refused(place, "other_head", "approve", "--from", path)
    assert "older than plan" in message


def test_the_page_and_its_data_mark_which_answer_counts(place, plan):
    place("approve", plan, *PLAIN, "--per-night", "5")
    place("approve", plan, *PLAIN[:3], "KB 2", "--replace")
    first, second = report(place, plan)["approvals"]
    assert (first["counts"], first["against"]) == (False, "replaced")
    assert first["against_by"] == {"by": "Karin Ek", "reference": "KB 2"}
    assert (second["counts"], second["against"]) == (True, None)
    assert second["dropped"] == {"per_night": 5}
    path = place.folder / "page.html"
    place("report", plan, "--out", path)
    page = path.read_text(encoding="utf-8")
    assert "Det här svaret gäller." in page
    assert "Svaret är lösare än det tidigare (ärende KB 1)" in page
