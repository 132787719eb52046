"""Words that somebody writes into an answer, or beside it, never make more of it than it was."""

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkrunner.domain.answer_text import answer_text, asked_about
from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.filled_forms import find_answers
from bulkrunner.errors import AnswerRefused
from bulkrunner.services.answers import the_answer, understood, words_beside
from tests.support.answers import an_answer, complete_plan
from tests.support.sizes import examples

PLAN = complete_plan(policy={"plan_max_age_hours": 500, "min_staging_coverage": 0.5})
STATEMENTS = ("plan_max_age_hours = 500", "min_staging_coverage = 0.5")
STRICT = Conditions(per_night=500, not_before=date(2026, 12, 1), excluded=("fzr8v1sn2k3m4p5",))
ANSWERS = [
    an_answer(PLAN, language=language, **values)
    for language in ("sv", "en")
    for values in (
        {},
        {"conditions": STRICT},
        {"statements": STATEMENTS[:1]},
        {"statements": STATEMENTS, "conditions": STRICT},
    )
]


def taken(text):
    """The answer that is recorded without a person being asked, None where none is."""
    found = find_answers(text)
    try:
        form = the_answer(found, approved=True)
        answer = understood(form, PLAN, holds=lambda name: name in STRICT.excluded)
    except AnswerRefused:
        return None
    return None if asked_about(words_beside(found, PLAN, 0)) else answer


def is_no_looser(answer, than):
    return (
        answer.approved
        and (answer.plan, answer.digest) == (than.plan, than.digest)
        and set(answer.statements) <= set(than.statements)
        and not than.conditions.lost_in(answer.conditions)
    )


TELLING = st.sampled_from(
    [
        *("inte", "INTE!", "(ej)", "nej", "endast testmiljön", "bara på helger", "per vecka"),
        *("a week", "not", "only", "unless Ylm agrees", "men", "först", "högst", "utom", "samt"),
        *("Högst per natt:", "At most per night: 900", "Namn: Ulla", "Villkor:", "Skäl: nej"),
        *("Inte före (ÅÅÅÅ-MM-DD):", "Excluded records:", "Plan: p-4k7x2mw9qz", "Slut på svaret."),
        "End of the answer.",
        "Vi godkänner att den här planen körs.",
        "Vi godkänner inte den här planen. Den får inte köras.",
        "We do not approve this plan. It must not be run.",
        f"sha256:{'c' * 64}",
        "- plan_max_age_hours = 500",
        "min_staging_coverage = 0.5",
        *("och", "and", "*", "~~", "\u202e", "p\u0435r natt", "poster", "records", "Karin"),
    ]
)
WORDS = TELLING | st.text(min_size=1, max_size=12).filter(lambda t: any(c.isalpha() for c in t))
BETWEEN = st.sampled_from([" ", "\n", " \n> ", "\t"])


@settings(max_examples=examples(1500), deadline=None)
@given(
    st.sampled_from(ANSWERS), st.lists(WORDS, min_size=1, max_size=3), BETWEEN, BETWEEN, st.data()
)
def test_words_written_into_an_answer_never_loosen_it(answer, words, before, after, data):
    text = answer_text(PLAN, answer)
    places = [0, *(n + 1 for n, char in enumerate(text) if char in " \n:"), len(text)]
    for word in words:
        place = data.draw(st.sampled_from(places))
        text = f"{text[:place]}{before}{word}{after}{text[place:]}"
    found = taken(text)
    assert found is None or is_no_looser(found, answer), text


def test_a_statement_that_is_no_item_of_the_list_is_asked_about():
    answer = an_answer(PLAN, language="sv", statements=STATEMENTS[:1])
    text = answer_text(PLAN, answer)
    label = "Vi godkänner särskilt detta:"
    assert taken(text.replace(label, f"{label} {STATEMENTS[1]}")) is None
    assert taken(text.replace("- plan_max", f"{STATEMENTS[1]}\n- plan_max")) is None
    assert taken(text.replace("- plan_max", "plan_max")).statements == STATEMENTS[:1]


@settings(max_examples=examples(800), deadline=None)
@given(st.sampled_from(ANSWERS), st.data())
def test_nor_do_letters_written_into_its_words(answer, data):
    text = answer_text(PLAN, answer)
    for letter in data.draw(st.lists(st.characters(exclude_categories=["Nd", "Cs"]), max_size=4)):
        place = data.draw(st.integers(0, len(text)))
        text = f"{text[:place]}{letter}{text[place:]}"
    found = taken(text)
    assert found is None or is_no_looser(found, answer), text


@settings(max_examples=examples(500), deadline=None)
@given(st.sampled_from(ANSWERS), st.data())
def test_nor_does_a_line_that_is_lost(answer, data):
    """But for the line of a condition that somebody has taken out on purpose."""
    rows = answer_text(PLAN, answer).splitlines()
    number = data.draw(st.integers(0, len(rows) - 1))
    lost = rows.pop(number)
    found = taken("\n".join(rows) + "\n")
    labels = (
        "Högst",
        "At most",
        "Inte före",
        "Not before",
        "Undantagna",
        "Excluded",
        "-",
        "Villkor",
    )
    kept = lost.startswith(
        (*labels, "Conditions", "Vi godkänner särskilt", "We agree", "Slut", "End")
    )
    assert found is None or kept or lost == ""


CLEAR = (
    *(
        "inte",
        "ej",
        "nej",
        "endast",
        "bara",
        "men",
        "först",
        "vänta",
        "utom",
        "villkor",
        "testmiljön",
    ),
    *("not", "no", "only", "but", "unless", "until", "except", "wait", "INTE!", "Stopp", "NEJ"),
)
HARMLESS = (
    "Hej Erik!",
    "Hej Erik! Svar nedan.",
    "Dear Erik,",
    "Tack för rapporten.",
    "Här kommer vårt svar.",
    "Our answer is below.",
    "Med vänlig hälsning",
    "Kind regards, Karin",
    "/Karin",
    "Ha en bra dag!",
    "Trevlig helg!",
    "Skickat från min iPhone",
    "-----Ursprungligt meddelande-----",
    "Från: Erik Berg <erik@leverantor.example>",
    "Ämne: Sv: Plan för hyllsignum på Ylm",
    "Den 1 december 2026 kl. 09:14 skrev Erik Berg <erik@leverantor.example>:",
    "On Tue, Dec 1, 2026 at 9:14 AM Erik Berg wrote:",
    "________________________________",
)


@pytest.mark.parametrize("row", HARMLESS)
def test_courtesies_are_not_asked_about(row):
    assert asked_about(row) == ()


@pytest.mark.parametrize(
    "rows",
    [
        "--\nKarin Ek\nKungl. biblioteket\nEnheten för metadata\n010-709 30 00",
        "-- \nKarin Ek | Systembibliotekarie | KB\nBox 5039, 102 41 Stockholm\nwww.kb.se",
        "Mvh\nKarin Ek\n",
        "Kind regards,\n\nKarin Ek\nNational Library of Sweden\nkarin.ek@kb.se",
        "Hälsningar\nPer Ek\nDag von Sydow",
        "Från: Erik Berg <erik@leverantor.example>\nSkickat: den 25 november 2026 09:14\nTill: Karin",
        "From: Erik Berg\nDate: Wed, Nov 25, 2026 at 9:14 AM\nTo: Karin Ek <karin@kb.se>",
        "On Tue, Dec 1, 2026 at 9:14 AM Erik Berg\nwrote:",
    ],
)
def test_nor_are_names_and_addresses_below_a_mark_or_a_closing(rows):
    assert asked_about(rows) == ()


@pytest.mark.parametrize(
    "row",
    [
        "Ja, men inte på fredag!",
        "Kör på fredag.",
        "OK",
        "Ja!",
        "Vi väntar.",
        "Hej Nej!",
        "Karin Ek",
        "500",
        "Tack, men vi avvaktar.",
        "Svar nedan gäller bara Ylm.",
        "Ämne: Sv: INTE godkänt",
        "Från: Erik, kör först i test",
        "\U0001f44d",
        "❌",
        "[attachment not read: villkor.pdf]",
        "Ha en bra dag och vänta",
        "Are the deletions included?",
        "Skickat från min iPhone, kör inte",
        "Skickat: den 1 december 2026",
        "Datum: 2026-12-01",
        "Från: 1 december",
        "Till: 31 december",
        "To: Monday",
        "Den 1 december kl 22",
        "On Monday",
        "[ ]",
        "( )",
        "Hej! Backa",
        "Tack. Återkommer",
        "Ämne: Sv: Ja, från måndag",
        "Subject: Re: 500 i taget",
        "Ämne: Fel rapport",
    ],
)
def test_all_else_is(row):
    assert asked_about(row) == (row,)


@pytest.mark.parametrize(
    "row", ["Kör när Ylm är klar", "TESTMILJÖN ENDAST", "500", "Högst 500", "Gäller Test", "31/12"]
)
def test_also_below_a_signature_s_mark(row):
    assert asked_about(f"-- \nKarin Ek\n{row}") == (row,)


@settings(max_examples=examples(400), deadline=None)
@given(st.sampled_from(HARMLESS), st.sampled_from(CLEAR), st.data())
@example("Hej Erik!", "Nej", None)
def test_no_courtesy_hides_a_word_that_may_be_a_condition(row, word, data):
    words = row.split()
    place = data.draw(st.integers(0, len(words))) if data else 1
    said = " ".join([*words[:place], word, *words[place:]])
    assert asked_about(said) == (said.strip("*_ "),)
