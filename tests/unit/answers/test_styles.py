"""What a page, or the make-up of a mail, does to words is told; nothing is read past it."""

import html

import pytest

from bulkrunner.adapters.mail import letter_text, marks_of
from bulkrunner.domain.answer_text import answer_text, asked_about
from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.filled_forms import find_answers
from bulkrunner.errors import AnswerRefused
from bulkrunner.services.answers import the_answer, understood, words_beside
from tests.support.answers import an_answer, complete_plan

PLAN = complete_plan()
TEXT = answer_text(PLAN, an_answer(PLAN, conditions=Conditions(per_night=500)))
PAGE = f"<html><body>{html.escape(TEXT)}</body></html>".replace("\n", "<br>\n")
HEAD = "From: karin@kb.se\nSubject: Sv: Rapport\nMIME-Version: 1.0\nMessage-ID: <1@kb.se>\n"


def outcome(content):
    """What is recorded without asking, the words asked about, or the code of the refusal."""
    found = find_answers(letter_text(content.encode()))
    try:
        answer = understood(the_answer(found, approved=True), PLAN, holds=lambda _: True)
    except AnswerRefused as error:
        return error.code
    return asked_about(words_beside(found, PLAN, 0)) or answer.conditions.per_night


@pytest.mark.parametrize(
    "style",
    [
        *("color:#fefefe", "color:#FFF0", "color: #ffe", "color:#00000010", "color:WhiteSmoke"),
        *("color:rgb(250, 250,250)", "color:rgba(0,0,0,0)", "color:rgb(0 0 0 / 10%)"),
        *("color:rgb(98%,98%,98%)", "color:hsl(0,0%,100%)", "color:hsla(0,0%,10%,.1)"),
        *("position:absolute;left:-9999px", "text-indent:-999em", "clip-path:inset(100%)"),
        *("width:0;overflow:hidden", "height:0px", "font-size:1px", "font-size: 0.0em"),
    ],
)
def test_words_that_nobody_sees_are_told(style):
    assert marks_of(style) == ["not shown"]
    assert outcome(PAGE.replace("500", f'<span style="{style}">500</span>')) == "answer_unclear"


@pytest.mark.parametrize(
    "style",
    [
        *("color:black", "color:#1F497D", "color:windowtext", "color:rgb(31,73,125)", "width:100%"),
        *("color:hsl(210, 50%, 30%)", "background-color:#fff", "font-size:10.0pt", "height:12px"),
        *("margin-left:36.0pt", "opacity:1", "color:rgba(0,0,0,.87)", "clip:auto", "left:-1px"),
    ],
)
def test_other_styles_say_nothing(style):
    assert marks_of(style) == []
    assert outcome(PAGE.replace("500", f'<span style="{style}">500</span>')) == 500


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("[data-a]{display:none}", "<b data-a=1>500</b>"),
        ("b > *{text-decoration:line-through}", "<b><i>500</i></b>"),
        ("b:not(.x){visibility:hidden}", "<b>500</b>"),
    ],
)
def test_a_style_sheet_that_names_no_element_counts_for_all(rule, words):
    page = PAGE.replace("500", words).replace("<body>", f"<style>{rule}</style><body>")
    assert outcome(page) in ("answer_unclear", "answer_missing")


@pytest.mark.parametrize(
    "words",
    [
        "<dialog>500</dialog>",
        "<noscript>500</noscript>",
        "<select><option>500<option selected>5</select>",
        "5<ruby>0<rt>1</rt></ruby>0",
    ],
)
def test_elements_that_show_other_words_than_they_hold(words):
    assert outcome(PAGE.replace("500", words)) == "answer_unclear"


@pytest.mark.parametrize(
    ("mark", "asked"),
    [
        ("<input type=checkbox> ", ("[ ]",)),
        ("<input type=radio checked> ", ("[x]",)),
        ("[ ] ", ("[ ]",)),
        ("☐ ", ("☐",)),
        (
            "<!--[if mso]><p>Högst 5 per natt</p><![endif]--><br>",
            ("[shown by some mail programs: Högst 5 per natt ]",),
        ),
        ("<!--[if gte mso 9]><xml><w:View>Normal</w:View></xml><![endif]-->", 500),
    ],
)
def test_what_stands_before_the_yes(mark, asked):
    assert outcome(PAGE.replace("Vi godk", f"{mark}Vi godk", 1)) == asked


@pytest.mark.parametrize(
    ("before", "after", "page", "asked"),
    [
        ("", "", "<img src=cid:1>", ("[a page without words]",)),
        ("Nej!\n", "", PAGE, ("Nej!",)),
        ("", "Nej!\n", PAGE, ("Nej!",)),
        ("This is a multi-part message in MIME format.\n", "\n", PAGE, 500),
    ],
)
def test_every_part_of_a_mail_is_heeded(before, after, page, asked):
    kinds = (("plain", TEXT), ("html", page))
    parts = [f"--X\nContent-Type: text/{kind}; charset=utf-8\n\n{said}\n" for kind, said in kinds]
    top = f"{HEAD}Content-Type: multipart/alternative; boundary=X\n\n{before}"
    assert outcome("".join([top, *parts, "--X--\n", after])) == asked


@pytest.mark.parametrize(
    ("subject", "asked"),
    [
        ("Sv: Rapport\nSubject: Avslag", ("Subject: Avslag",)),
        ("Sv: Plan p-aaaaaaaaaa", ("another plan is named: p-aaaaaaaaaa",)),
        (f"Sv: Plan {PLAN.id}", 500),
    ],
)
def test_subjects(subject, asked):
    mail = HEAD.replace("Sv: Rapport", subject)
    assert outcome(f"{mail}Content-Type: text/plain; charset=utf-8\n\n{TEXT}") == asked


@pytest.mark.parametrize(
    ("line", "words"),
    [
        *(
            ("Ärendenummer", words)
            for words in ("KB 1 fr.o.m. 2026-12-01", "from 2026-12-01", "KB 1 till den 1 december")
        ),
        ("Ärendenummer", "KB 1 v. 45"),
        *(
            ("Undantagna poster", f"{PLAN.id}.12 {between} {PLAN.id}.15")
            for between in ("-", "–", "...")
        ),
        ("Namn", "Återkommer"),
        ("Namn", "Ogillas"),
    ],
)
def test_lines_that_say_more_than_they_may(line, words):
    rows = [f"{line}: {words}" if row.startswith(line) else row for row in TEXT.splitlines()]
    assert outcome("\n".join(rows)) == "answer_unclear"


@pytest.mark.parametrize(
    "words", [f"- {PLAN.id}.12\n- {PLAN.id}.15", f"- {PLAN.id}.12 - {PLAN.id}.15"]
)
def test_a_list_of_exclusions_is_no_range(words):
    assert outcome(TEXT.replace("Undantagna poster:", f"Undantagna poster: {words}")) == 500
