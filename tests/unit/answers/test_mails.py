"""Mails as reviewers may send them, in tests/data/answers: what is read out of each.

``expected.json`` says of each file what a careful reader takes it for: ``yes`` or ``no``, ``asked``
where words stand beside a yes that a person must read, ``refused`` with the code and words of the
message.
"""

import json
from collections import Counter

import pytest

from bulkrunner.adapters.mail import read_letter
from bulkrunner.domain.answer_text import asked_about
from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.filled_forms import find_answers
from bulkrunner.errors import AnswerRefused
from bulkrunner.services.answers import plan_named, the_answer, understood, words_beside
from tests.support.answers import HEAD, complete_plan
from tests.support.paths import DATA

FOLDER = DATA / "answers"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
PLAN = complete_plan(
    policy={"plan_max_age_hours": 500, "min_staging_coverage": 0.5},
    job="2026-11-hyllsignum",
    manifest={"title": "Hyllsignum på Ylm"},
    addresses={"kind": "production", "base_url": "https://libris.kb.se"},
)


def read(name, *, approved):
    found = find_answers(read_letter(str(FOLDER / name)))
    form = the_answer(found, approved=approved)
    assert plan_named(form) == PLAN.id
    answer = understood(form, PLAN, holds=lambda _: True)
    return answer, asked_about(words_beside(found, PLAN, 0)) if approved else ()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_mail_is_taken_for_what_a_careful_reader_takes_it_for(name):
    wanted = EXPECTED[name]
    approved = wanted["reads"] != "no"
    if wanted["reads"] == "refused":
        with pytest.raises(AnswerRefused) as refused:
            read(name, approved=approved)
        assert (refused.value.code, bool(refused.value.hint)) == (wanted["code"], True)
        assert wanted.get("says", "") in refused.value.message
        return
    answer, asked = read(name, approved=approved)
    assert (answer.approved, answer.head) == (approved, HEAD)
    assert answer.by == wanted.get("by", "Karin Ek")
    assert answer.reference == "KB 2026-0412"
    assert answer.conditions == Conditions.from_dict(wanted.get("conditions", {}))
    assert len(answer.statements) == wanted.get("statements", 0)
    assert len(asked) == (0 if "asked" not in wanted else len(asked) or -1)
    for words in wanted.get("asked", ()):
        assert words in "\n".join(asked)


def test_every_mail_of_the_folder_is_looked_at():
    files = {path.name for path in FOLDER.iterdir()} - {"expected.json", "README.md"}
    assert files == set(EXPECTED)
    kinds = Counter(wanted["reads"] for wanted in EXPECTED.values())
    assert min(kinds["yes"], kinds["refused"], kinds["asked"]) >= 20
