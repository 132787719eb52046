"""A standing approval in an answer: its lines, what is less than asked for, and what is not understood."""

from dataclasses import replace
from datetime import date

import pytest

from bulkrunner.adapters.ledger.codecs import approval_of, approval_row
from bulkrunner.domain.answer_text import LABELS, answer_text
from bulkrunner.domain.approvals import Against, weigh
from bulkrunner.domain.filled_forms import find_answers
from bulkrunner.domain.standing import Bounds, asked_of
from bulkrunner.errors import AnswerRefused
from bulkrunner.services.answers import the_answer, understood
from bulkrunner.services.given_bounds import given_within
from tests.support.answers import an_answer, complete_plan, form
from tests.support.ledgers import RULE, an_approval, bounds

ASKED = bounds(
    until=date(2027, 6, 30),
    per_run={"update": 500, "create": 0, "delete": 10},
    per_day={"records": 1000, "update": 1000, "create": 0, "delete": 20},
)
PLAN = complete_plan(
    manifest={
        "title": "E-böcker",
        "sigels": ["Ylm"],
        "rule": RULE,
        "recurring": {name: value for name, value in ASKED.as_dict().items() if name != "rule"},
    }
)
LESS = replace(
    ASKED,
    until=date(2027, 1, 31),
    per_run={"update": 100, "create": 0, "delete": 0},
    per_day={"records": 200, "update": 200, "create": 0, "delete": 0},
)


def read_back(text, plan=PLAN):
    return understood(the_answer(find_answers(text), approved=True), plan, holds=lambda _: True)


def filled(**lines):
    """The Swedish form with a name, and something on lines of the standing approval."""
    text = form(PLAN).replace("Namn: ", "Namn: Karin Ek").replace("nummer: ", "nummer: KB 1")
    labels = {"until": "Stående till och med (ÅÅÅÅ-MM-DD):", "run": "Stående högst per körning:"}
    labels["day"] = "Stående högst per dygn:"
    for name, value in lines.items():
        assert f"{labels[name]} \n" in text
        text = text.replace(f"{labels[name]} \n", f"{labels[name]} {value}\n")
    return text


def test_the_form_says_what_is_asked_for_line_by_line():
    lines = form(PLAN).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Stående godkännande"))
    assert lines[start - 1 : start + 7] == [
        "",
        (
            "Stående godkännande av senare körningar med ändringar av samma slag "
            "(lämna tomt om svaret bara gäller den här planen):"
        ),
        (
            "Begärt stående godkännande: varje dag; stående till och med 2027-06-30; "
            "stående högst per körning 500 ändras, 0 skapas, 10 raderas; "
            "stående högst per dygn 1000 i allt, 1000 ändras, 0 skapas, 20 raderas"
        ),
        f"Regelns kontrollsumma: {RULE}",
        "Stående till och med (ÅÅÅÅ-MM-DD): ",
        "Stående högst per körning: ",
        "Stående högst per dygn: ",
        "",
    ]
    assert find_answers(form(PLAN)).blanks


def test_other_plans_have_the_text_that_they_had():
    plain = complete_plan()
    assert "tående" not in form(plain)
    assert asked_of(plain) is None


@pytest.mark.parametrize("language", LABELS)
@pytest.mark.parametrize("given", [None, ASKED, LESS])
def test_what_is_given_is_read_back(language, given):
    answer = an_answer(PLAN, language=language, standing=given)
    assert read_back(answer_text(PLAN, answer)) == answer


def test_an_answer_with_the_lines_left_empty_is_to_this_plan_alone():
    assert read_back(filled()).standing is None


@pytest.mark.parametrize(
    ("lines", "given"),
    [
        ({"until": "2027-06-30"}, ASKED),
        ({"until": "2027-01-31", "run": "100 ändras", "day": "200 i allt, 200 ändras"}, LESS),
        ({"until": "2027-01-31", "run": "högst 100 changed.", "day": "högst 200"}, None),
        ({"until": "2027–06–30", "day": "1 000"}, ASKED),
    ],
)
def test_less_may_be_given_than_was_asked_for(lines, given):
    found = read_back(filled(**lines)).standing
    if given is not None:
        assert found == given
    assert not found.allows_more(ASKED)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ({"until": "2027-07-01"}, "answer_standing_more"),
        ({"until": "2027-06-30", "run": "501 ändras"}, "answer_standing_more"),
        ({"until": "2027-06-30", "run": "1 skapas"}, "answer_standing_more"),
        ({"until": "2027-06-30", "day": "1001"}, "answer_standing_more"),
        ({"until": "2027-06-30", "day": "21 raderas"}, "answer_standing_more"),
        ({"run": "100 ändras"}, "answer_unclear"),
        ({"day": "100"}, "answer_unclear"),
        ({"until": "tills vidare"}, "answer_unclear"),
        ({"until": "2027-06-30, men bara vardagar"}, "answer_unclear"),
        ({"until": "2027-06-30", "run": "100"}, "answer_unclear"),  # of which kind?
        ({"until": "2027-06-30", "run": "100 ändras i veckan"}, "answer_unclear"),
        ({"until": "2027-06-30", "run": "100 ändras, 50 ändras"}, "answer_unclear"),
        ({"until": "2027-06-30", "run": "hundra ändras"}, "answer_unclear"),
        ({"until": "2027-06-30", "run": "5 i allt"}, "answer_unclear"),
    ],
)
def test_more_than_asked_for_or_not_understood_is_refused(lines, code):
    with pytest.raises(AnswerRefused) as refused:
        read_back(filled(**lines))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Begärt stående godkännande: varje dag", "Begärt stående godkännande: varje timme"),
        (RULE, "sha256:" + "8" * 64),
        (f"Regelns kontrollsumma: {RULE}\n", ""),
        ("Stående godkännande av senare", "Stående godkännande av alla senare"),
    ],
)
def test_what_the_page_has_may_not_be_changed(old, new):
    text = filled(until="2027-06-30")
    assert old in text
    with pytest.raises(AnswerRefused):
        read_back(text.replace(old, new))


def test_a_plan_that_asks_for_none_is_given_none():
    other = complete_plan()
    lines = "Stående till och med (ÅÅÅÅ-MM-DD): 2027-06-30\n"
    text = answer_text(other, an_answer(other)).replace("Namn:", f"{lines}Namn:")
    with pytest.raises(AnswerRefused) as refused:
        read_back(text, other)
    assert refused.value.code == "answer_unclear"


def test_the_ledger_s_row_has_every_bound():
    approval = an_approval(PLAN, standing=LESS)
    row = approval_row(approval) | {"event": 3}
    assert row["standing"] == LESS.as_dict()
    assert Bounds.from_dict(row["standing"]) == LESS
    assert approval_of(type("Row", (), row), given=-1).standing == LESS


def test_a_wider_one_to_an_older_report_never_stands_in_a_stricter_one_s_place():
    def yes(given, event, standing):
        facts = {"given": given, "event": event, "head": f"h{given}", "statements": ()}
        return an_approval(PLAN, standing=standing, **facts)

    for stricter, wider in ((LESS, ASKED), (None, LESS)):
        found = weigh([yes(12, 13, stricter), yes(10, 14, wider)])
        assert [one.against for one in found] == [None, Against.BEFORE_STRICTER]
        found = weigh([yes(12, 13, wider), yes(10, 14, stricter)])
        assert [one.against for one in found] == [Against.REPLACED, None]


def test_the_command_s_words_are_read_alike():
    given = given_within(ASKED, until=date(2027, 1, 31), per_run="update=100", per_day="200")
    assert given.per_run == {"update": 100, "create": 0, "delete": 0}
    assert given.per_day == {"records": 200, "update": 200, "create": 0, "delete": 20}
    with pytest.raises(AnswerRefused):
        given_within(ASKED, until=None, per_run="update=501", per_day="")
