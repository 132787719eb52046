"""Signatures under answers, made and verified by the real ssh-keygen."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bulkrunner.adapters.signatures import NAMESPACE, SshSignatures, read_seal, read_signers
from bulkrunner.domain.answer_text import answer_text, spellings
from bulkrunner.domain.approvals import Approval
from bulkrunner.errors import AnswerRefused, ConfigError, SignatureRefused
from bulkrunner.services.reviews import Proofs, Read, Reviews
from tests.support.answers import Key, an_answer, complete_plan
from tests.support.ledgers import (
    SetClock,
    a_change,
    a_plan,
    an_approval,
    new_ledger,
    store_plan,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAN = complete_plan()
TEXT = answer_text(PLAN, an_answer(PLAN))


@pytest.fixture(scope="module")
def karin(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("keys"), "karin.ek")


@pytest.fixture(scope="module")
def ulla(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("keys"), "ulla", kind="rsa")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("keys"), "stranger")


def verify(signature, *signers, text=TEXT, at=NOW):
    return SshSignatures().verify(text, signature, signers=signers, at=at)


def refused(signature, *signers, **values):
    with pytest.raises(SignatureRefused) as error:
        verify(signature, *signers, **values)
    assert error.value.hint
    return error.value


def test_a_good_signature_says_whose_it_is(karin, ulla):
    for key in (karin, ulla):
        signature = key.sign(TEXT)
        found = verify(signature, karin.line(), ulla.line())
        assert found.identity == key.identity
        assert found.key == read_seal(signature).fingerprint


def test_a_key_of_no_reviewer(karin, stranger):
    error = refused(stranger.sign(TEXT), karin.line())
    assert error.code == "signature_unknown_key"
    assert read_seal(stranger.sign(TEXT)).fingerprint in error.message


def test_over_another_digest_or_other_words(karin):
    other = answer_text(PLAN, an_answer(PLAN, digest="sha256:" + "c" * 64))
    assert refused(karin.sign(other), karin.line()).code == "signature_wrong_text"
    said_more = TEXT.replace("Karin Ek", "Karin  Ek")
    assert refused(karin.sign(said_more), karin.line()).code == "signature_wrong_text"


@pytest.mark.parametrize("namespace", ["file", "email", "git", f"{NAMESPACE}2"])
def test_made_for_another_namespace(karin, namespace):
    error = refused(karin.sign(TEXT, namespace=namespace), karin.line())
    assert error.code == "signature_namespace"
    assert NAMESPACE in error.hint


def test_a_key_that_may_not_be_used_for_answers(karin):
    error = refused(karin.sign(TEXT), karin.line('namespaces="git"'))
    assert error.code == "signature_namespace"


@pytest.mark.parametrize(
    ("options", "at", "good"),
    [
        ('valid-before="20270101"', NOW, True),
        ('valid-before="20260101"', NOW, False),
        ('valid-before="20260101"', datetime(2025, 6, 1, tzinfo=UTC), True),
        ('valid-after="20270101"', NOW, False),
        ('valid-after="20260101",valid-before="20270101"', NOW, True),
    ],
)
def test_a_key_counts_within_its_time_only(karin, options, at, good):
    signature = karin.sign(TEXT)
    if good:
        assert verify(signature, karin.line(options), at=at).identity == karin.identity
    else:
        assert refused(signature, karin.line(options), at=at).code == "signature_expired"


@pytest.mark.parametrize("text", list(spellings(TEXT)))
def test_what_an_editor_makes_of_the_file_still_verifies_as_that_text(karin, text):
    assert verify(karin.sign(text), karin.line(), text=text).identity == karin.identity


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s.replace("U1NIU0lH", "U1NIU0lI"),
        lambda s: s.replace("-----BEGIN", "-----BEGIN A"),
        lambda s: s[: len(s) // 2],
        lambda s: "",
        lambda s: "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----",
        lambda s: s.replace("\n", "\nå"),
    ],
)
def test_what_is_no_signature(karin, damage):
    assert refused(damage(karin.sign(TEXT)), karin.line()).code == "signature_unreadable"


def test_a_signature_with_one_letter_changed_proves_nothing(karin):
    rows = karin.sign(TEXT).splitlines()
    last = rows[-2]
    rows[-2] = last[:4] + ("A" if last[4] != "A" else "B") + last[5:]
    assert refused("\n".join(rows) + "\n", karin.line()).code == "signature_wrong_text"


def test_without_ssh_keygen_it_says_what_is_missing(karin, monkeypatch):
    signature = karin.sign(TEXT)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="ssh-keygen is not there"):
        verify(signature, karin.line())


# --- the reviewers' file ------------------------------------------------------------------------


def test_lines_are_kept_without_comments(karin, ulla, tmp_path):
    path = tmp_path / "reviewers"
    wanted = (karin.line('valid-before="20270101"'), ulla.line())
    rows = ["# KB", "", f"{wanted[0]} Karin Ek", f"  {wanted[1]}\t", "  # end"]
    path.write_text("\r\n".join(rows), encoding="utf-8")
    assert read_signers(path) == wanted
    assert verify(karin.sign(TEXT), *read_signers(path)).identity == karin.identity


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no key"),
        ("# nobody\n", "no key"),
        ("karin@kb.se\n", "reviewers:1"),
        ("ssh-ed25519 AAAA\n", "reviewers:1"),
        ("# x\nkarin@kb.se ssh-ed25519\n", "reviewers:2"),
        ("karin@kb.se\x1b ssh-ed25519 AAAA\n", "reviewers:1"),
        ("a@b ssh-ed25519 AAAA\n" * 300, "more than 200"),
        ("x" * 300_000, "longer than"),
    ],
)
def test_a_file_that_is_none(tmp_path, content, words):
    path = tmp_path / "reviewers"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_signers(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_signers(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_signers(tmp_path)


@pytest.mark.parametrize("told", [2, 0])
def test_a_signed_answer_may_say_how_many_bibs_or_nothing_of_them(karin, told):
    plan = complete_plan(policy={"reviewers": "f", "signers": [karin.line()]})
    answer = an_answer(plan, bibs=2)
    proofs = Proofs(SshSignatures(), reviewers=lambda: (karin.line(),))
    text = answer_text(plan, replace(answer, bibs=told))
    found, signer = proofs.signed(plan, answer, karin.sign(text), at=NOW)
    assert found == text
    approval = Approval(
        plan=plan.id,
        plan_digest=plan.plan_digest,
        approved=True,
        by=answer.by,
        reference=answer.reference,
        text=text,
        recorded_by="eva@desk",
        recorded_at=NOW,
        head=answer.head,
        signature=karin.sign(text),
        signer=signer.identity,
        key=signer.key,
    )
    assert proofs.unsound(plan, approval) is None


def test_a_signed_answer_with_another_count_of_bibs_is_refused(karin):
    plan = complete_plan(policy={"reviewers": "f", "signers": [karin.line()]})
    answer = an_answer(plan, bibs=2)
    signature = karin.sign(answer_text(plan, replace(answer, bibs=1)))
    with pytest.raises(SignatureRefused) as error:
        Proofs(SshSignatures(), reviewers=lambda: (karin.line(),)).signed(
            plan, answer, signature, at=NOW
        )
    assert error.value.code == "signature_wrong_text"


def test_a_clock_that_was_set_back_makes_no_expired_key_good(karin, tmp_path):
    line = karin.line('valid-before="20260101"')
    values = {"policy": {"reviewers": "f", "signers": [line]}, "environment": "production"}
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(**values), [a_change(1)])
        answer = an_answer(plan, head=ledger.chain.head())
        read = Read(plan=plan, answer=answer, signature=karin.sign(answer_text(plan, answer)))
        set_back = SetClock(datetime(2025, 6, 1, tzinfo=UTC))
        proofs = Proofs(SshSignatures(), reviewers=lambda: (line,))
        with pytest.raises(SignatureRefused) as error:
            Reviews(ledger, set_back, proofs=proofs).record(read, recorded_by="eva@desk")
        assert error.value.code == "signature_expired"
        assert ledger.approvals.of_plan(plan.id) == []


def test_an_answer_is_weighed_with_those_that_are_there_when_it_is_stored(tmp_path):
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(1)])
        ledger.approvals.add(an_approval(plan))
        with pytest.raises(AnswerRefused) as error:
            ledger.approvals.add(an_approval(plan), known=0)
        assert error.value.code == "answered_meanwhile"
        ledger.approvals.add(an_approval(plan), known=1)
        assert len(ledger.approvals.of_plan(plan.id)) == 2


@pytest.mark.parametrize(
    ("changes", "today", "says"),
    [
        ({}, "karin", ""),
        ({"text": TEXT + "x"}, "karin", "signed"),
        ({"reference": "KB 9"}, "karin", "signed"),
        ({"signature": ""}, "karin", "not signed"),
        ({"signer": "ulla"}, "karin", "karin.ek"),
        ({}, "ulla", "key of no reviewer"),
        ({}, None, "no reviewers"),
    ],
)
def test_a_recorded_yes_proves_what_was_asked_for_then_and_is_today(
    karin, ulla, changes, today, says
):
    plan = complete_plan(policy={"reviewers": "f", "signers": [karin.line()]})
    answer = an_answer(plan)
    text = answer_text(plan, answer)
    signature = karin.sign(text)
    approval = replace(
        an_approval(plan, by=answer.by, reference=answer.reference, head=answer.head),
        statements=answer.statements,
        text=text,
        language=answer.language,
        signature=signature,
        signer=karin.identity,
        key=read_seal(signature).fingerprint,
    )
    lines = {"karin": (karin.line(),), "ulla": (ulla.line(),), None: None}
    found = Proofs(SshSignatures(), reviewers=lambda: lines[today]).unsound(
        plan, replace(approval, **changes)
    )
    assert (found is None) if not says else (says in found)
