"""The text of an answer: what it says, and how it is found again whatever a mail made of it."""

import base64
import quopri
import re
import textwrap
from dataclasses import replace
from datetime import date
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.mail import letter_text
from bulkrunner.domain.answer_text import LABELS, answer_text, bibs_in, spellings
from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.filled_forms import find_answers
from bulkrunner.errors import AnswerRefused
from bulkrunner.services.answers import plan_named, the_answer, understood
from tests.support.answers import an_answer, complete_plan, form
from tests.support.sizes import examples

LOOSE = {"plan_max_age_hours": 500, "min_staging_coverage": 0.5}
PLAN = complete_plan(policy=LOOSE)
STATEMENTS = ("plan_max_age_hours = 500", "min_staging_coverage = 0.5")
RECORDS = ("fzr8v1sn2k3m4p5", "fzr8v1sn2k3m4p6")
FULL = Conditions(per_night=500, not_before=date(2026, 12, 1), excluded=(*RECORDS, f"{PLAN.id}.3"))


def read_back(text, plan=PLAN, *, approved=True):
    fields = the_answer(find_answers(text), approved=approved)
    assert plan_named(fields) == plan.id
    return understood(fields, plan, holds=lambda _: True)


ANSWERS = {
    f"{language} {name}": an_answer(PLAN, language=language, **values)
    for language in LABELS
    for name, values in {
        "plain": {},
        "agreeing": {"statements": STATEMENTS},
        "under conditions": {"statements": STATEMENTS[:1], "conditions": FULL},
        "no": {"approved": False, "reason": "För många raderingar."},
    }.items()
}


@pytest.fixture(params=ANSWERS.values(), ids=ANSWERS)
def answer(request):
    return request.param


# --- what mail programs do --------------------------------------------------------------------


def quoted(text):
    return "".join(f"> {row}\n" for row in text.splitlines())


def deeper(text):
    return "Den 1 december skrev Erik:\n" + quoted(quoted(text)).replace("> > ", ">> ")


def rewrapped(text):
    """Every line broken at 60 characters, between words."""
    rows = [textwrap.wrap(row, 60, break_long_words=False) or [""] for row in text.splitlines()]
    return "\n".join(part for row in rows for part in row)


def run_together(text):
    """Single line ends lost, as where surplus ones are removed."""
    return "\n\n".join(" ".join(block.split()) for block in text.split("\n\n"))


def windows(text):
    return text.replace("\n", "\r\n")


def trimmed(text):
    return "\n".join(row.rstrip() for row in text.splitlines())


def indented(text):
    return textwrap.indent(text, "    ")


def hard_blanks(text):
    return text.replace(": ", ":\u00a0").replace("\n", " \n")


def decomposed(text):
    return "".join({"ä": "a\u0308", "ö": "o\u0308", "å": "a\u030a"}.get(c, c) for c in text)


def shouted(text):
    return "\n".join(
        row.upper() if row.endswith(".") and ":" not in row else row for row in text.splitlines()
    )


def signed_by_hand(text):
    return f"Hej!\n\nHär kommer svaret.\n\n{text}\n--\nKarin Ek\nKungl. biblioteket\nNamn: KB\n"


def without_the_end(text):
    return re.sub(r"(Slut på svaret|End of the answer)\.\n", "", text)


def twice(text):
    return f"{text}\n\n{quoted(text)}"


def with_the_forms_below(text):
    return f"{text}\n\nErik skrev:\n{quoted(form(PLAN))}\n{quoted(form(PLAN, approved=False))}"


def bold(text):
    """As a mail program makes plain text of bold labels."""
    return re.sub(r"^([^:\n-]+):", r"*\1:*", text, flags=re.MULTILINE)


def dashes(text):
    return re.sub(r"(?<=p)-(?=\w{10})|(?<=\d)-(?=\d\d\b)", "\u2013", text)


def tight(text):
    return "".join(f">>>{row}\n" for row in text.splitlines())


def with_initials(text):
    return "".join(f"EK> {row}\n" for row in text.splitlines())


def below_a_separator(text):
    """As Outlook quotes: whole, below a line and the mail's head."""
    head = (
        "Från: Eva <eva@example.org>\nSkickat: den 25 november 2026 09:14\nTill: Karin\nÄmne: Plan"
    )
    return f"Hej Eva,\n\nsvaret står nedan.\n\n-----Ursprungligt meddelande-----\n{head}\n\n{text}"


def broken_without_marks(text):
    """Quoted lines broken again on their way; only the first part keeps its mark."""
    rows = [textwrap.wrap(f"> {row}", 60, break_long_words=False) for row in text.splitlines()]
    return "\n".join(part for row in rows for part in row)


def all_blanks_hard(text):
    return text.replace(" ", "\u00a0")


MANGLERS = (
    *(tight, below_a_separator, broken_without_marks),
    all_blanks_hard,
    *(quoted, deeper, rewrapped, run_together, windows, trimmed, indented, hard_blanks),
    *(decomposed, shouted, signed_by_hand, without_the_end, twice, with_the_forms_below),
)


BEFORE = (str, bold, dashes)
"""What is made of the words themselves, before anybody quotes them."""


@pytest.mark.parametrize("mangle", [*BEFORE, with_initials, *MANGLERS])
def test_an_answer_is_read_whatever_a_mail_made_of_it(answer, mangle):
    text = mangle(answer_text(PLAN, answer))
    assert read_back(text, approved=answer.approved) == answer


@pytest.mark.parametrize("width", range(20, 80))
def test_no_line_break_loses_a_condition_or_a_name(answer, width):
    rows = textwrap.wrap(run_together(answer_text(PLAN, answer)), width, break_long_words=False)
    assert read_back("\n".join(rows), approved=answer.approved) == answer


@pytest.mark.parametrize("label", ["natt: ", "DD): "])
def test_what_is_written_below_a_condition_is_not_passed_over(label):
    text = TEXT.replace(label, f"{label}\nbara helger")
    assert refusal(text).code == "answer_unclear"


# --- pasted and saved otherwise ------------------------------------------------------------------


def tagged(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def packed(text):
    return quopri.encodestring(text.encode())


def packed_in_an_old_encoding(text):
    return quopri.encodestring(text.encode("cp1252"))


def packed_quote(text):
    return quopri.encodestring(quoted(text).encode())


def outlook_page(text):
    rows = "".join(
        f"<p class=MsoNormal><span style='font-size:10.0pt'>{tagged(row) or '&nbsp;'}<o:p></o:p>"
        "</span></p>\r\n"
        for row in text.splitlines()
    )
    head = "<meta charset=windows-1252><style>p.MsoNormal {margin:0}</style>"
    return f"<html>\r\n<head>{head}</head><body lang=SV>{rows}</body></html>".encode("cp1252")


def quoted_page(text):
    """A part of a page, as it is copied out of a mail on the web."""
    rows = "<br>\n".join(tagged(row).replace("  ", " &nbsp;") for row in text.splitlines())
    return f'<div>Hej!<br></div><blockquote class="gmail_quote">{rows}</blockquote>'.encode()


def table_page(text):
    rows = "".join(f"<tr><td>{tagged(row)}</td></tr>" for row in text.splitlines())
    return f"\n<table>{rows}</table>".encode()


@pytest.mark.parametrize(
    "save",
    [packed, packed_in_an_old_encoding, packed_quote, outlook_page, quoted_page, table_page],
)
def test_an_answer_is_read_out_of_whatever_was_pasted_into_a_file(answer, save):
    text = letter_text(save(answer_text(PLAN, answer)))
    assert read_back(text, approved=answer.approved) == answer


@pytest.mark.parametrize("ends", ["=", "=="])
def test_a_signature_is_not_taken_for_quoted_printable(ends):
    armoured = f"-----BEGIN SSH SIGNATURE-----\n{'U' * 70}\n{'x' * (70 - len(ends))}{ends}\n"
    assert letter_text(armoured.encode()) == armoured


@settings(max_examples=examples(150), deadline=None)
@given(
    st.sampled_from(list(ANSWERS.values())),
    st.sampled_from(BEFORE),
    st.lists(st.sampled_from(MANGLERS), max_size=3),
)
def test_also_what_several_mails_made_of_it(answer, before, mangles):
    text = before(answer_text(PLAN, answer))
    for mangle in mangles:
        text = mangle(text)
    try:
        found = read_back(text, approved=answer.approved)
    except AnswerRefused:
        assert without_the_end in mangles
        return
    if run_together in mangles and without_the_end in mangles:  # where does the last line end?
        assert found.reference[:2] == answer.reference[:2]
        found = replace(found, reference=answer.reference)
    assert found == answer


# --- saved mails --------------------------------------------------------------------------------


def mail(body, **options):
    message = EmailMessage()
    message["From"] = "Karin Ek <karin.ek@kb.se>"
    message["Subject"] = "Sv: Hyllsignum på Ylm"
    message["Message-ID"] = "<1@kb.se>"
    message.set_content(body, **options)
    return message


def as_html(text):
    rows = "<br>\r\n".join(text.replace("&", "&amp;").replace(">", "&gt;").splitlines())
    return f"<html><head><style>p {{x: y}}</style></head><body><p>{rows}</p></body></html>"


@pytest.mark.parametrize("cte", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_a_saved_mail(answer, cte, charset):
    saved = mail(answer_text(PLAN, answer), cte=cte, charset=charset).as_bytes()
    assert read_back(letter_text(saved), approved=answer.approved) == answer


def test_a_mail_of_html_alone(answer):
    saved = mail(as_html(answer_text(PLAN, answer)), subtype="html").as_bytes()
    assert read_back(letter_text(saved), approved=answer.approved) == answer


def test_alternatives_that_say_the_same_are_one_answer(answer):
    message = mail(answer_text(PLAN, answer))
    message.add_alternative(as_html(answer_text(PLAN, answer)), subtype="html")
    assert read_back(letter_text(message.as_bytes()), approved=answer.approved) == answer


@pytest.mark.parametrize(
    "other",
    [
        {"by": "Ulla Ek"},
        {"conditions": FULL},
        {"approved": False},
        {"digest": "sha256:" + "c" * 64},
        {"language": "en"},
    ],
)
def test_of_alternatives_that_differ_none_is_taken(other):
    message = mail(answer_text(PLAN, an_answer(PLAN)))
    text = answer_text(PLAN, an_answer(PLAN, **other))
    message.add_alternative(as_html(text), subtype="html")
    assert refusal(letter_text(message.as_bytes())).code == "answers_differ"


def test_an_attached_text_is_read_and_an_attached_report_is_not(answer):
    message = mail("Svaret är bifogat.")
    content = answer_text(PLAN, answer).encode()
    message.add_attachment(
        content, maintype="application", subtype="octet-stream", filename="a.txt"
    )
    report = as_html(answer_text(PLAN, an_answer(PLAN, by="The example of the report")))
    message.add_attachment(report, subtype="html", filename="p.html")
    assert read_back(letter_text(message.as_bytes()), approved=answer.approved) == answer


def test_a_forwarded_mail(answer):
    message = mail("Se nedan.")
    message.add_attachment(mail(answer_text(PLAN, answer)))
    assert read_back(letter_text(message.as_bytes()), approved=answer.approved) == answer


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_text_file_of_any_usual_encoding(answer, encoding):
    content = answer_text(PLAN, answer).encode(encoding)
    assert read_back(letter_text(content), approved=answer.approved) == answer


def test_a_body_encoded_without_any_header_is_no_answer():
    text = answer_text(PLAN, an_answer(PLAN)).encode()
    for packed in (base64.b64encode(text), quopri.encodestring(b"hej ")):
        with pytest.raises(AnswerRefused) as refused:
            read_back(letter_text(packed))
        assert refused.value.code == "answer_missing"


@pytest.mark.parametrize(
    "content",
    [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), b"\x00\x01\x02\x03" * 9],
)
def test_what_is_no_text_is_refused(content):
    with pytest.raises(AnswerRefused) as refused:
        letter_text(content, "answer.msg")
    assert refused.value.code == "answer_unreadable"
    assert ".eml" in refused.value.hint


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_nothing_but_a_refusal_comes_of_anything_else(content):
    try:
        text = letter_text(content)
        the_answer(find_answers(text), approved=True)
    except AnswerRefused:
        return
    raise AssertionError("noise was taken for an answer")


# --- what is refused ----------------------------------------------------------------------------


def refusal(text, *, approved=True, holds=lambda _: True):
    with pytest.raises(AnswerRefused) as refused:  # noqa: PT012 — either of the two may refuse
        fields = the_answer(find_answers(text), approved=approved)
        understood(fields, PLAN, holds=holds)
    return refused.value


TEXT = answer_text(PLAN, an_answer(PLAN, statements=STATEMENTS))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("Hej! Kör på.", "answer_missing", "no answer"),
        (form(PLAN), "answer_blank", "not filled in"),
        (form(PLAN).replace("Namn: ", "Namn: ______"), "answer_blank", "not filled in"),
        (TEXT.replace("Karin Ek", ""), "answer_blank", "no name"),
        (TEXT.replace("KB 2026-0412", ""), "answer_blank", "no case number"),
        (TEXT.replace("b" * 64, "c" * 64), "other_digest", "c" * 64),
        (TEXT.replace("b" * 64, "b" * 40), "answer_unclear", "Digest"),
        (TEXT.replace("= 0.5", "= 0.9"), "unknown_statement", "0.9"),
        (TEXT.replace("natt: ", "natt: många"), "answer_unclear", "många"),
        (TEXT.replace("natt: ", "natt: 0"), "answer_unclear", "0"),
        (TEXT.replace("DD): ", "DD): i vår"), "answer_unclear", "i vår"),
        (TEXT.replace("DD): ", "DD): 2026-02-30"), "answer_unclear", "2026-02-30"),
        (TEXT.replace("poster: ", "poster: alla Ylm:s"), "answer_unclear", "alla"),
        (TEXT.replace("gäller):", "gäller): kör bara på helger"), "answer_unclear", "helger"),
        (
            TEXT + answer_text(PLAN, an_answer(PLAN, by="Karin Ek", approved=False)),
            "answers_differ",
            "yes to p-4k7x2mw9qz by Karin Ek; no to p-4k7x2mw9qz by Karin Ek",
        ),
        (TEXT + quoted(TEXT.replace("Karin", "Ulla")), "answers_differ", "Ulla"),
        (
            TEXT.replace("natt: ", "natt: 500") + TEXT.replace("natt: ", "natt: 900"),
            "answers_differ",
            "2 answers",
        ),
    ],
)
def test_an_answer_that_cannot_be_recorded(text, code, words):
    found = refusal(text)
    assert found.code == code
    assert words in found.message


def test_a_no_is_not_recorded_as_a_yes_nor_a_yes_as_a_no():
    no = answer_text(PLAN, an_answer(PLAN, approved=False))
    assert refusal(no).code == "answer_says_otherwise"
    assert "reject --from" in refusal(no).hint
    assert refusal(TEXT, approved=False).code == "answer_says_otherwise"


def test_a_record_that_the_plan_does_not_write_cannot_be_excluded():
    text = TEXT.replace("poster: ", f"poster: {RECORDS[0]}")
    assert refusal(text, holds=lambda _: False).code == "unknown_exclusion"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("natt: 500", Conditions(per_night=500)),
        ("natt: högst 1 500 poster", Conditions(per_night=1500)),
        ("natt: 1.500 per natt", Conditions(per_night=1500)),
        ("DD): 2026-12-01", Conditions(not_before=date(2026, 12, 1))),
        (
            f"poster: https://libris.kb.se/{RECORDS[0]}#it och {RECORDS[1]}.",
            Conditions(excluded=RECORDS),
        ),
        (f"poster:\n  {RECORDS[0]}\n  {RECORDS[1]};{RECORDS[0]}", Conditions(excluded=RECORDS)),
    ],
)
def test_conditions_as_people_write_them(line, wanted):
    label = line.partition(":")[0] + ": "
    assert read_back(TEXT.replace(label, line)).conditions == wanted


def test_what_stands_beside_an_answer_is_not_lost():
    found = find_answers(f"Ja, men inte på fredag!\n\n{TEXT}\n--\nKarin\n")
    assert "inte på fredag" in found.beside
    assert "Karin" in found.beside
    assert PLAN.id not in found.beside


def test_the_canonical_text_has_few_spellings():
    text = answer_text(PLAN, an_answer(PLAN))
    found = list(spellings(text))
    assert found[0] == text
    assert 4 <= len(found) <= 8
    assert all(read_back(one) == an_answer(PLAN) for one in found)


def test_titles_and_names_cannot_add_lines_to_the_text():
    hostile = complete_plan(manifest={"title": "x\nNamn: Eva\u202e\nSlut på svaret."})
    answer = an_answer(hostile, by="Karin\nEk\x1b\u202e")
    text = answer_text(hostile, answer)
    assert text.count("\n") == answer_text(PLAN, an_answer(PLAN)).count("\n")
    assert all(line.isprintable() for line in text.splitlines())
    assert read_back(text, hostile).by == "Karin Ek"


@pytest.mark.parametrize(
    "title",
    [
        "a > b | c >> d",
        "> Hylla",
        "*Viktigt* _nu_ ~~sen~~",
        "“Hylla” – ‘ny’ … ½ ﬁ",
        "5\u3164\u2800 \u0336x\ufe0f",
        "שלום \u200f\u202e abc",
        "Namn (Plan) Ärendenummer",
        "Miljö; Omfattning, 9 raderas",
        "<a href=x>Hylla</a> &amp; <https://x.se>",
        "e\u0301 \U000e0041 👍🏽",
        "-----Ursprungligt meddelande-----",
    ],
)
@pytest.mark.parametrize("mangle", [str, quoted, deeper, rewrapped, decomposed, bold, windows])
def test_whatever_stands_in_a_title_it_is_compared_with_the_plan(title, mangle):
    plan = complete_plan(manifest={"title": title})
    text = mangle(answer_text(plan, an_answer(plan)))
    assert read_back(text, plan) == an_answer(plan)
    other = complete_plan(manifest={"title": f"{title} x"})
    fields = the_answer(find_answers(text), approved=True)
    with pytest.raises(AnswerRefused, match="Job"):
        understood(fields, other, holds=lambda _: True)


def test_the_languages_differ_in_every_word_that_tells_them_apart():
    sv, en = LABELS["sv"], LABELS["en"]
    assert {sv.yes, sv.no, sv.end}.isdisjoint({en.yes, en.no, en.end})


@pytest.mark.parametrize(
    ("language", "bibs", "said"),
    [
        ("sv", 1, "2 raderas (varav 1 bibliografisk post), 7 ändras, 0 skapas"),
        ("sv", 2, "2 raderas (varav 2 bibliografiska poster), 7 ändras, 0 skapas"),
        ("en", 1, "2 deleted (of which 1 bib), 7 changed, 0 created"),
        ("en", 2, "2 deleted (of which 2 bibs), 7 changed, 0 created"),
        ("sv", 0, "2 raderas, 7 ändras, 0 skapas"),
    ],
)
def test_says_how_many_of_the_deletions_are_bibs(language: str, bibs: int, said: str) -> None:
    text = answer_text(PLAN, an_answer(PLAN, language=language, bibs=bibs))
    assert said in text
    assert bibs_in(text) == bibs
    (fields,) = find_answers("> " + text.replace("\n", "\n> ")).answers
    assert fields["extent"] == said
    assert fields["by"] == "Karin Ek"


def test_bibs_are_read_where_the_extent_stands_and_nowhere_else() -> None:
    text = answer_text(PLAN, an_answer(PLAN, reference="(varav 9 bibliografiska poster)"))
    assert bibs_in(text) == 0
