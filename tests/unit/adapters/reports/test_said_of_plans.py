"""What a plan says of its records reads well in both languages."""

from __future__ import annotations

import pytest

from bulkrunner.adapters.reports.language import language
from bulkrunner.domain.plan import Action
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import kind_said
from bulkrunner.domain.rules import counted
from bulkrunner.domain.text import MAX_MESSAGE, library_said, printable, shown_of
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence, joined, stored_text, text_of, verbatim

LINKED_TODO = (
    "the server refuses to delete what something links to; delete those first, or earlier in the "
    "same job"
)


def linked(count: int, shown: str = "k1") -> Sentence:
    names = [f"k{number}" for number in range(count)]
    return Sentence("linked", count=count, shown=shown_of(names, shown, 3))


@pytest.mark.parametrize(
    ("said", "english", "swedish"),
    [
        (
            joined((linked(1), Sentence("linked_hint"))),
            f"1 record links to it: k1; {LINKED_TODO}",
            (
                "En post länkar till den: k1. Servern raderar inte det som något länkar till. Radera de "
                "posterna först, eller tidigare i samma jobb."
            ),
        ),
        (
            linked(5, "a, b, c"),
            "5 records link to it: a, b, c and 2 more",
            "5 poster länkar till den: a, b, c och 2 till.",
        ),
        (
            Sentence("repeated", source=Source(file="bibs.txt", line=1).said),
            "bibs.txt:1 has named the record already",
            "bibs.txt rad 1 gäller posten redan.",
        ),
        (
            Sentence("repeated", source=Source(file="job.yaml", line=4, column=9).said),
            "job.yaml:4:9 has named the record already",
            "job.yaml rad 4, kolumn 9 gäller posten redan.",
        ),
        (
            Sentence("prerequisite", which=Sentence("change", number=3), code="duplicate"),
            "it belongs to change 3, which is refused: duplicate",
            "Hör ihop med ändring 3, som avvisas (duplicate).",
        ),
        (
            Sentence("prerequisite", which=Sentence("change_of_step"), code="gone"),
            "it belongs to another change of its step, which is refused: gone",
            "Hör ihop med en annan ändring i samma steg, som avvisas (gone).",
        ),
        (
            Sentence("bib_unresolved", iri=Sentence("absent")),
            "itemOf (absent) does not resolve in this environment",
            "Beståndet hänger inte på någon post som finns här (itemOf (saknas)).",
        ),
        (
            Sentence("other_kind", kind=kind_said("bib"), wanted=kind_said("holding")),
            "the record is a bib, and the step is for a holding",
            "Posten är en bibliografisk post, och steget gäller en beståndspost.",
        ),
        (
            Sentence("several_targets", sigel="NO", count=2, shown="h1, h2"),
            "NO has 2 other holdings on the bib: h1, h2",
            "NO har 2 andra bestånd på posten: h1, h2.",
        ),
        (
            Sentence("not_edited_since", sigel="S", since="2026-03"),
            "S has not edited it since 2026-03",
            "S har inte redigerat posten sedan 2026-03.",
        ),
        (
            Sentence("version_without_time", number=-2),
            "version -2 of the record does not say when it was saved",
            "Version -2 av posten säger inte när den sparades.",
        ),
        (
            Sentence(
                "changed_since",
                by=Sentence("somebody"),
                when="2026-11-30T11:00:00Z",
                run="r1",
                who=Sentence("by_a_later_run", run="r2", job="j"),
            ),
            (
                "edited by somebody at 2026-11-30T11:00:00Z, after run r1; by run r2 of job j; it is not "
                "overwritten"
            ),
            (
                "Ändrad av någon 2026-11-30 kl. 12.00, efter körningen r1; det gjorde körningen r2 "
                "av jobbet j. Den skrivs inte över."
            ),
        ),
        (
            Sentence("changed_since", by="S", when="no time", run="r1", who=""),
            "edited by S at no time, after run r1; it is not overwritten",
            "Ändrad av S no time, efter körningen r1. Den skrivs inte över.",
        ),
        (
            Sentence("other_owner", sigel=library_said(None)),
            "the holding belonged to no library then",
            "Beståndet tillhörde inget bibliotek då.",
        ),
        (
            Sentence("rule_number", what=counted(Action.CREATE, 1), most=0),
            "1 creates, more than 0",
            "1 post skapas, fler än 0.",
        ),
        (
            Sentence("ceiling", what=counted("records", 1200), name="records", most=1000),
            "1200 changes, but the ceiling records is 1000",
            "1\u00a0200 ändringar, men taket records är 1\u00a0000.",
        ),
    ],
)
def test_refusals_and_findings_are_said_in_both_languages(said, english, swedish):
    assert said == english
    assert language("sv").reason(said) == (swedish, "sv")
    assert language("sv").reason(text_of(stored_text(said))) == (swedish, "sv")


def test_what_a_sentence_tells_of_is_bounded_and_on_one_line():
    why = Sentence("no_target", into="k1\n", why=verbatim("x\x07" + "y" * 5000))
    said = printable(Sentence("function_fault", name="f", why=why))
    assert isinstance(said, Sentence)
    assert said.startswith("f: it cannot be merged into k1 : x yyy")
    assert said.endswith("y…")
    assert len(said) <= MAX_MESSAGE
    assert said.worded("sv").startswith("f: Det kan inte slås samman med k1 : x yyy")


def test_a_sentence_of_very_many_things_is_cut_as_a_text_is():
    said = printable(Sentence("joined", parts=[verbatim("z" * 300)] * 20))
    assert said == printable("; ".join(["z" * 200 + "…"] * 20)) or len(said) == MAX_MESSAGE + 1
    assert len(said) <= MAX_MESSAGE + 1


def test_what_the_server_tidies_is_said_in_both_languages():
    note = {"@type": "Note", "label": " Ha\ufb03 ", "computedLabel": "x", "language": None}
    document = {"@graph": [{"@type": "Record"}, {"@type": "Item", "hasNote": [note] * 4}]}
    found = predict_stored(document).cleanups
    assert found[:4] == (
        "hasNote.0.label: ligatures spelled out",
        "hasNote.0.label: trimmed",
        "hasNote.0.computedLabel: removed, the server never stores it",
        "hasNote.0.language: null removed",
    )
    swedish = [language("sv").reason(text_of(stored_text(one))) for one in found]
    assert [one.lang for one in swedish] == ["sv"] * len(found)
    assert swedish[1].text == "hasNote.0.label: blanktecken i början eller slutet tas bort"
    said = Sentence("tidied_away", cleanups=found[1:3])
    assert said == (
        "the server would take the whole change away again when it saves: hasNote.0.label: trimmed; "
        "hasNote.0.computedLabel: removed, the server never stores it"
    )
    assert printable(said).worded("sv") == (
        "Servern skulle ta bort hela ändringen igen när den sparar: hasNote.0.label: blanktecken i "
        "början eller slutet tas bort; hasNote.0.computedLabel: tas bort, servern sparar det aldrig."
    )
