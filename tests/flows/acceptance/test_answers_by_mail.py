"""The reviewer's answer, from the report to the run: mailed, signed, under conditions, withdrawn."""

import json
import textwrap
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from bulkrunner.adapters.signatures import NAMESPACE
from tests.support.answers import Key
from tests.support.cli import update_label


@pytest.fixture
def job(place, own):
    return place.job("answers", operations=update_label(own[:6], to="Hans"))


@pytest.fixture
def karin(tmp_path):
    return Key(tmp_path, "karin.ek")


def forms(place, plan, language="sv"):
    """The texts to send back, as the report has them."""
    path = place.folder / "report.json"
    place("report", plan, "--format", "json", "--lang", language, "--out", path)
    report = json.loads(path.read_text(encoding="utf-8"))
    return report["answer_text"], report["reject_text"]


def filled(text, **lines):
    """Write behind labels, as a reviewer does."""
    rows = text.splitlines()
    for label, value in lines.items():
        wanted = label.replace("_", " ")
        number = next(n for n, row in enumerate(rows) if row.startswith(wanted))
        rows[number] = f"{rows[number].rstrip()} {value}"
    return "\n".join(rows) + "\n"


def reply(text):
    """A mail as a mail program sends it: the form quoted, wrapped and encoded, greeting and all."""
    rows = [
        part
        for row in text.splitlines()
        for part in textwrap.wrap(row, 68, break_long_words=False) or [""]
    ]
    body = "Hej Erik!\r\n\r\nSvar nedan.\r\n\r\n" + "".join(f"> {row}\r\n" for row in rows)
    message = EmailMessage()
    message["From"] = "Karin Ek <karin.ek@kb.se>"
    message["Subject"] = "Sv: Hyllsignum på Ylm"
    message["Message-ID"] = "<42@kb.se>"
    message.set_content(f"{body}\r\n--\r\nKarin Ek\r\nKungl. biblioteket\r\n", cte="base64")
    return message.as_bytes()


def approval_gate(place, plan):
    gates = place("status", plan).document["gates"]
    return next(gate for gate in gates if gate["name"] == "approval")


def test_from_the_report_to_a_run_under_conditions(place, job, own):
    plan = place.through_staging(job).document["plan"]
    yes, _ = forms(place, plan)
    answer = filled(
        yes,
        Högst_per_natt="500",
        Inte_före="2026-01-01",
        Undantagna_poster=f"{own[1]}, {plan}.4",
        Namn="Karin Ek",
        Ärendenummer="KB 2026-0412",
    )
    mail = place.folder / "svar.eml"
    mail.write_bytes(reply(answer))

    done = place("approve", "--from", mail)
    assert done.document["plan"] == plan
    assert (done.document["by"], done.document["reference"]) == ("Karin Ek", "KB 2026-0412")
    conditions = {
        "per_night": 500,
        "not_before": "2026-01-01",
        "excluded": [own[1], f"{plan}.4"],
    }
    assert done.document["conditions"] == conditions
    assert "Kungl. biblioteket" in done.stderr  # beside the answer, shown to the operator

    gate = approval_gate(place, plan)
    assert gate["open"]
    assert "recorded by the operator, not signed" in gate["reason"]
    assert "at most 500 a night; not before 2026-01-01; 2 excluded" in gate["reason"]
    assert place("status", plan).document["plans"][0]["conditions"] == conditions

    ran = place("run", job, "--env", "production")
    assert ran.document["outcomes"] | {"applied": 4, "refused": 2} == ran.document["outcomes"]
    assert ran.document["state"] == "completed"
    written = {write["path"].rpartition("/")[2] for write in place.sandbox.production.writes()}
    assert written == {own[0], own[2], own[4], own[5]}

    path = place.folder / "run.json"
    place("report", ran.document["run"], "--format", "json", "--out", path)
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["approvals"][0]["conditions"] == conditions
    assert not report["approvals"][0]["signed"]
    ended = {change["number"]: change["result"] for change in report["changes"]}
    assert {n for n, result in ended.items() if result["code"] == "excluded"} == {2, 4}
    assert ended[2]["outcome"] == "refused"
    assert place("run", job, "--env", "production").document["requests"] == 0


@pytest.mark.parametrize("language", ["sv", "en"])
def test_a_no_by_mail_closes_the_gate(place, job, language):
    plan = place.approved(job)
    _, no = forms(place, plan, language)
    label, why = ("Namn", "Skäl") if language == "sv" else ("Name", "Reason")
    number = "Ärendenummer" if language == "sv" else "Case_number"
    mail = place.folder / "nej.eml"
    mail.write_bytes(reply(filled(no, **{why: "Inte nu.", label: "Karin Ek", number: "KB 2"})))
    assert place("approve", "--from", mail, expect=2).document["error"]["code"] == (
        "answer_says_otherwise"
    )
    done = place("reject", "--from", mail)
    assert (done.document["answer"], done.document["by"]) == ("rejected", "Karin Ek")
    assert not approval_gate(place, plan)["open"]
    assert place("run", job, "--env", "production", expect=4).closed == {"approval"}


def test_an_answer_to_an_older_plan_is_to_that_plan_only(place, job):
    old = place.through_staging(job).document["plan"]
    yes = filled(forms(place, old)[0], Namn="Karin Ek", Ärendenummer="KB 1")
    new = place("plan", job, "--env", "production").document["plan"]
    mail = place.folder / "svar.txt"
    mail.write_text(yes, encoding="utf-8")
    assert place("approve", new, "--from", mail, expect=2).document["error"]["code"] == "other_plan"
    mail.write_text(yes.replace(old, new), encoding="utf-8")
    refused = place("approve", "--from", mail, expect=2).document["error"]
    assert refused["code"] == "other_digest"
    mail.write_text(yes, encoding="utf-8")
    assert place("approve", "--from", mail).document["plan"] == old
    assert not approval_gate(place, new)["open"]


def test_a_head_that_this_ledger_never_had(place, job):
    plan = place.through_staging(job).document["plan"]
    yes = filled(forms(place, plan)[0], Namn="Karin Ek", Ärendenummer="KB 1")
    row = next(row for row in yes.splitlines() if row.startswith("Liggarens"))
    mail = place.folder / "svar.txt"
    mail.write_text(yes.replace(row, row[:-6] + "000000"), encoding="utf-8")
    refused = place("approve", "--from", mail, expect=2).document["error"]
    assert refused["code"] == "other_head"
    assert "ledger check" in refused["hint"]


def test_not_before_a_day_closes_the_gate_until_then(place, job):
    plan = place.through_staging(job).document["plan"]
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    place("approve", plan, "--by", "Karin", "--reference", "1", "--not-before", day)
    done = place("run", job, "--env", "production", expect=4)
    assert done.closed == {"approval"}
    assert f"not before {day} (Europe/Stockholm)" in done.document["error"]["message"]
    sooner = ["--by", "Karin", "--reference", "2", "--not-before", "2026-01-01"]
    refused = place("approve", plan, *sooner, expect=2).document["error"]
    assert refused["code"] == "answer_looser"
    assert not approval_gate(place, plan)["open"]
    place("approve", plan, *sooner, "--replace")
    place("run", job, "--env", "production")


def test_a_second_person_above_a_size(place, job):
    place.configure(policy={"rules": "policy.toml"})
    (place.folder / "policy.toml").write_text(
        '[[rule]]\nid = "two"\nkind = "approvers"\nabove = 5\nsource = "KB"\n', encoding="utf-8"
    )
    plan = place.approved(job)
    gate = approval_gate(place, plan)
    assert "1 of the 2 people said yes" in gate["reason"]
    place("approve", plan, "--by", "karin ek", "--reference", "KB 2")
    assert not approval_gate(place, plan)["open"], "the same person twice is one person"
    place("approve", plan, "--by", "Ulla", "--reference", "KB 3")
    assert approval_gate(place, plan)["open"]
    place("reject", plan, "--by", "Ulla", "--reference", "KB 4")
    place("approve", plan, "--by", "Ulla", "--reference", "KB 5")
    assert not approval_gate(place, plan)["open"], "a no withdraws every yes before it"


# --- signed -------------------------------------------------------------------------------------


@pytest.fixture
def signed(place, job, karin):
    """A production plan whose approval must be signed by Karin."""
    (place.folder / "reviewers").write_text(karin.line() + " Karin Ek\n", encoding="utf-8")
    place.configure(policy={"reviewers": "reviewers"})
    return place.through_staging(job).document["plan"]


def draft(place, plan, *more):
    path = place.folder / "draft.txt"
    given = ["--by", "Karin Ek", "--reference", "KB 1", "--draft", path]
    place("approve", plan, *given, *more)
    return path


def test_a_signed_answer(place, signed, job, karin):
    path = draft(place, signed, "--per-night", "900")
    assert not approval_gate(place, signed)["open"], "a draft records nothing"
    seal = place.folder / "draft.txt.sig"
    seal.write_text(karin.sign(path.read_text(encoding="utf-8")), encoding="utf-8")
    done = place("approve", "--from", path, "--signature", seal)
    assert done.document["signed_by"] == "karin.ek@kb.se"
    gate = approval_gate(place, signed)
    assert gate["open"]
    assert "signed by karin.ek@kb.se (SHA256:" in gate["reason"]
    place("run", job, "--env", "production")


def test_a_signed_answer_pasted_into_a_mail(place, signed, karin):
    text = filled(forms(place, signed)[0], Namn="Karin Ek", Ärendenummer="KB 1")
    mail = place.folder / "svar.eml"
    mail.write_bytes(reply(text + "\n" + karin.sign(text)))
    assert place("approve", "--from", mail).document["signed_by"] == "karin.ek@kb.se"
    assert approval_gate(place, signed)["open"]


def test_a_file_signed_on_windows(place, signed, karin):
    text = filled(forms(place, signed)[0], Namn="Karin Ek", Ärendenummer="KB 1")
    text = text.replace("\n", "\r\n")
    path = place.folder / "svar.txt"
    path.write_bytes((text + karin.sign(text)).encode())
    assert place("approve", "--from", path).document["signed_by"] == "karin.ek@kb.se"
    assert approval_gate(place, signed)["open"]


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        (lambda key, other, text: "", "signature_missing"),
        (lambda key, other, text: other.sign(text), "signature_unknown_key"),
        (
            lambda key, other, text: key.sign(text.replace("sha256:", "sha256:0")),
            "signature_wrong_text",
        ),
        (
            lambda key, other, text: key.sign(text.replace("natt: ", "natt: 9000")),
            "signature_wrong_text",
        ),
        (lambda key, other, text: key.sign(text, namespace="file"), "signature_namespace"),
        (lambda key, other, text: key.sign(text) + other.sign(text), "signatures_differ"),
    ],
)
def test_an_answer_without_a_good_signature_is_not_recorded(
    place, signed, job, karin, tmp_path, sign, code
):
    text = draft(place, signed).read_text(encoding="utf-8")
    path = place.folder / "svar.txt"
    path.write_text(text + sign(karin, Key(tmp_path, "stranger"), text), encoding="utf-8")
    refused = place("approve", "--from", path, expect=2).document["error"]
    assert refused["code"] == code
    assert refused["hint"]
    assert place("run", job, "--env", "production", expect=4).closed == {"approval"}
    assert place.sandbox.production.writes() == []


def test_an_expired_key(place, job, karin):
    line = karin.line('valid-before="20200101"')
    (place.folder / "reviewers").write_text(line, encoding="utf-8")
    place.configure(policy={"reviewers": "reviewers"})
    plan = place.through_staging(job).document["plan"]
    text = draft(place, plan).read_text(encoding="utf-8")
    path = place.folder / "svar.txt"
    path.write_text(text + karin.sign(text), encoding="utf-8")
    refused = place("approve", "--from", path, expect=2).document["error"]
    assert refused["code"] == "signature_expired"


def test_told_by_telephone_is_not_enough_where_policy_asks_for_a_signature(place, signed):
    done = place("approve", signed, "--by", "Karin", "--reference", "1", expect=2)
    assert done.document["error"]["code"] == "signature_missing"
    assert "--draft" in done.document["error"]["hint"]


def test_a_reviewer_who_is_struck_off_counts_no_more(place, signed, job, karin, tmp_path):
    text = draft(place, signed).read_text(encoding="utf-8")
    path = place.folder / "svar.txt"
    path.write_text(text + karin.sign(text), encoding="utf-8")
    place("approve", "--from", path)
    assert approval_gate(place, signed)["open"]
    other = Key(tmp_path, "ulla")
    (place.folder / "reviewers").write_text(other.line(), encoding="utf-8")
    done = place("run", job, "--env", "production", expect=4)
    assert done.closed == {"approval"}
    assert "key of no reviewer" in done.document["error"]["message"]
    # Nor does one who was put on the list after the plan was made.
    text = draft(place, signed).read_text(encoding="utf-8")
    path.write_text(text + other.sign(text), encoding="utf-8")
    refused = place("approve", "--from", path, expect=2).document["error"]
    assert refused["code"] == "signature_unknown_key"


def signed_yes(place, plan, key):
    path = draft(place, plan)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + key.sign(text), encoding="utf-8")
    return path


def test_a_struck_off_key_counts_no_more_when_policy_names_no_reviewers(
    place, signed, job, karin, tmp_path
):
    place("approve", "--from", signed_yes(place, signed, karin))
    other = Key(tmp_path, "ulla")
    (place.folder / "reviewers").write_text(other.line(), encoding="utf-8")
    assert not approval_gate(place, signed)["open"]
    place.configure(policy={})
    gate = approval_gate(place, signed)
    assert not gate["open"]
    assert "names no reviewers now" in gate["reason"]
    assert place("run", job, "--env", "production", expect=4).closed == {"approval"}
    assert place.sandbox.production.writes() == []


def test_nor_can_anybody_answer_while_no_reviewers_are_named(place, signed, job, karin):
    path = signed_yes(place, signed, karin)
    place.configure(policy={})
    assert place("approve", "--from", path, expect=2).document["error"]["code"] == (
        "signature_no_reviewers"
    )
    place("reject", signed, "--by", "Karin", "--reference", "1")
    place.configure(policy={"reviewers": "reviewers"})
    assert not approval_gate(place, signed)["open"]


@pytest.mark.parametrize("options", ['valid-before="20200101"', 'namespaces="git"'])
def test_a_key_that_is_bounded_since_the_plan_was_made_counts_no_more(
    place, signed, job, karin, options
):
    path = signed_yes(place, signed, karin)
    place("approve", "--from", path)
    (place.folder / "reviewers").write_text(karin.line(options), encoding="utf-8")
    assert not approval_gate(place, signed)["open"]
    refused = place("approve", "--from", path, expect=2).document["error"]
    assert refused["code"] in ("signature_expired", "signature_namespace")
    (place.folder / "reviewers").write_text(karin.line(), encoding="utf-8")
    assert approval_gate(place, signed)["open"]


def test_a_no_needs_no_reviewers_file(place, signed, karin):
    place("approve", "--from", signed_yes(place, signed, karin))
    (place.folder / "reviewers").unlink()
    place("reject", signed, "--by", "Karin", "--reference", "1")
    (place.folder / "reviewers").write_text(karin.line(), encoding="utf-8")
    assert not approval_gate(place, signed)["open"]


def test_a_reviewers_file_that_is_not_there_is_a_fault_of_the_configuration(place, job):
    place.configure(policy={"reviewers": "nobody"})
    done = place("plan", job, "--env", "staging", expect=2)
    assert done.document["error"]["code"] == "configuration"


def test_the_draft_says_how_it_is_signed(place, signed):
    given = ["--by", "Karin Ek", "--reference", "KB 1", "--draft", place.folder / "x.txt"]
    done = place("approve", signed, *given)
    assert done.document["draft"] == str(place.folder / "x.txt")
    assert done.document["answer"] is None
    assert f"ssh-keygen -Y sign -n {NAMESPACE}" in done.stderr


@pytest.mark.parametrize(
    "given",
    [
        ["--by", "Karin"],
        ["--from", "x.txt", "--by", "Karin"],
        ["--from", "x.txt", "--per-night", "5"],
        ["--by", "Karin", "--reference", "1", "--signature", "x.sig"],
        ["--by", "Karin", "--reference", "1", "--not-before", "soon"],
        ["--by", "Karin", "--reference", "1", "--per-night", "0"],
        ["--by", "Karin", "--reference", "1", "--exclude", "nothing"],
    ],
)
def test_options_that_make_no_sense_together(place, job, given):
    plan = place("plan", job, "--env", "production").document["plan"]
    assert place("approve", plan, *given, expect=2).document["answer"] is None
