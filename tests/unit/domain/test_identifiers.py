"""Every way in which the lists of real jobs name a record."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.identifiers import (
    Identifier,
    Number,
    Scheme,
    identify,
    is_libris_code,
    isbn10,
    isbn13,
    issn,
    of_canonical,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.queries import bears, queries
from bulkrunner.domain.refusals import Refusal

BASES = ("https://libris.kb.se/", "https://libris-stg.kb.se/", "http://127.0.0.1:8001/")
IRIS = IriMap(bases=BASES, target=BASES[1])
ID = "fzr8v1sn2k3m4p5"


def named(text: str, *meanings: Number) -> str:
    """The canonical text, or the code of why there is none."""
    found = identify(text, IRIS, meanings)
    return found.text if isinstance(found, Identifier) else found.code


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (ID, ID),
        (f" {ID}\t", ID),
        (f"https://libris.kb.se/{ID}", ID),
        (f"https://libris-stg.kb.se/{ID}#it", ID),
        (f"http://127.0.0.1:8001/{ID}", ID),
        ("http://libris.kb.se/bib/1234567", "http://libris.kb.se/bib/1234567"),
        ("http://libris.kb.se/resource/bib/1234567", "http://libris.kb.se/bib/1234567"),
        ("https://libris.kb.se/hold/42", "http://libris.kb.se/hold/42"),
        (ID.upper(), ID),
        ("Fzr8V1sn2k3m4p5", ID),
        (f"https://libris.kb.se/{ID.upper()}", ID),
        (f"HTTPS://Libris.kb.se/{ID}", ID),
        (f"http://libris.kb.se/{ID}", ID),
        (f"libris.kb.se/{ID}#it", ID),
        (f"https://libris.kb.se/katalogisering/{ID}", ID),
        (f"https://libris-stg.kb.se/katalogisering/{ID}/", ID),
        (f"https://libris.kb.se/{ID}/data.jsonld", ID),
        (f"https://libris.kb.se/{ID}/data-view.jsonld", ID),
        (f"https://libris.kb.se/{ID}/data-view", ID),
        (f"https://libris.kb.se/{ID}/data", ID),
        (f"https://libris.kb.se/{ID}?embellished=false", ID),
        (f"https://libris.kb.se/{ID}/data.jsonld?framed=true#it", ID),
        (f"https://libris.kb.se/{ID}#work", ID),
        (f"https://libris.kb.se/{ID}%23it", ID),
        (f"https://libris.kb.se/sv/{ID}", ID),
        (f"https://libris.kb.se/en/{ID}#it", ID),
        (f"http://127.0.0.1:8001/katalogisering/{ID}", ID),
        ("http://libris.kb.se/bib/0001234567", "http://libris.kb.se/bib/1234567"),
        ("http://libris.kb.se/resource/hold/0042", "http://libris.kb.se/hold/42"),
        ("http://libris.kb.se/bib/1234567?vw=full", "http://libris.kb.se/bib/1234567"),
        ("http://libris.kb.se/bib/1234567#it", "http://libris.kb.se/bib/1234567"),
        ("http://libris.kb.se/bib/1234567/", "http://libris.kb.se/bib/1234567"),
        ("libris.kb.se/bib/1234567", "http://libris.kb.se/bib/1234567"),
        ("https://libris-stg.kb.se/bib/1234567", "http://libris.kb.se/bib/1234567"),
        ("(LIBRIS)10005468", "http://libris.kb.se/bib/10005468"),
        ("(LIBRIS) 10005468", "http://libris.kb.se/bib/10005468"),
        ("(libris)0012", "http://libris.kb.se/bib/12"),
        ("(SE-LIBR)10005468", "http://libris.kb.se/bib/10005468"),
        ("(LIBRRIS)10005468", "http://libris.kb.se/bib/10005468"),
        ("(LIBRS)10005468", "http://libris.kb.se/bib/10005468"),
        ("(LIBIRS)10005468", "http://libris.kb.se/bib/10005468"),
        ("LIBRIS)10005468", "http://libris.kb.se/bib/10005468"),
        ("(LIBRIS)9127015831", "libris3:9127015831"),
        ("(LIBRIS)917000059x", "libris3:917000059X"),
        ("libris3:917000059x", "libris3:917000059X"),
        ("LIBRIS III: 12345", "libris3:12345"),
        ("91-7000-059-X", "isbn:9789170000591"),
        ("917000059X", "isbn:9789170000591"),
        ("9789170000591", "isbn:9789170000591"),
        ("978 91 7000 059 1", "isbn:9789170000591"),
        ("978–91–7000–059–1", "isbn:9789170000591"),
        ("ISBN 91-7000-059-X", "isbn:9789170000591"),
        ("isbn:917000059X", "isbn:9789170000591"),
        ("urn:isbn:9789170000591", "isbn:9789170000591"),
        ("0-8044-2957-x", "isbn:9780804429573"),
        ("0347-0547", "issn:0347-0547"),
        ("ISSN 0347-0547", "issn:0347-0547"),
        ("issn:03470547", "issn:0347-0547"),
        ("2434-561X", "issn:2434-561X"),
        ("2434561x", "issn:2434-561X"),
        ("(OCoLC)123456789", "system:(OCoLC)123456789"),
        ("(DiVA)urn:nbn:se:liu:diva-179262", "system:(DiVA)urn:nbn:se:liu:diva-179262"),
        ("BTJ-12 345".replace(" ", ""), "system:BTJ12345"),
        ("btj 12345", "system:BTJ12345"),
    ],
)
def test_what_stands_for_itself(text: str, canonical: str) -> None:
    assert named(text) == canonical
    assert named(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "unreadable_id"),
        ("not an id", "unreadable_id"),
        (ID[:-1], "unreadable_id"),
        (f"https://elsewhere.example/{ID}", "unreadable_id"),
        ("x" * 1000, "unreadable_id"),
        ("9.78917E+12", "unreadable_id"),
        ("()123", "unreadable_id"),
        ("1234567", "ambiguous_number"),
        ("03470547", "ambiguous_number"),
        ("9127015832", "ambiguous_number"),
        ("91-7000-059-2", "bad_check_digit"),
        ("ISBN 9789170000592", "bad_check_digit"),
        ("0347-0548", "bad_check_digit"),
    ],
)
def test_what_names_no_record(text: str, code: str) -> None:
    assert named(text) == code


@pytest.mark.parametrize(
    ("number", "meanings", "kind"),
    [
        ("9789170000592", [Number.BIB, Number.ISBN], "ISBN"),
        ("9789170000592", [Number.BIB], "ISBN"),
        ("9170000592", [Number.ISBN], "ISBN"),
        ("03470548", [Number.ISSN], "ISSN"),
    ],
)
def test_a_number_whose_last_digit_does_not_fit_is_told_so(
    number: str, meanings: list[Number], kind: str
) -> None:
    found = identify(number, IRIS, meanings)
    assert isinstance(found, Refusal)
    assert found.code == "bad_check_digit"
    assert found.message == f"`{number}` is no {kind}: its last digit does not fit the others"


@pytest.mark.parametrize(
    "text",
    [
        "https://libris.kb.se/find?q=tove",
        "https://libris.kb.se/library/Ylm",
        "https://libris.kb.se/katalogisering/search/libris?q=tove",
        f"https://libris.kb.se/{ID[:-1]}",
        f"https://libris.kb.se/{ID}/holdings",
        f"https://libris.kb.se/{ID}.jsonld",
        f"https://libris.kb.se/x/{ID}",
        "https://libris.kb.se/bib/12345678901234",
        "https://libris.kb.se/bib/12a",
        "http://libris.kb.se/showrecord?q=onr:1234567",
    ],
)
def test_an_address_of_no_record_says_how_one_is_written(text: str) -> None:
    found = identify(text, IRIS)
    assert isinstance(found, Refusal)
    assert found.code == "unreadable_id"
    assert "https://libris.kb.se/ and the id" in found.hint


def test_an_id_with_a_letter_that_ids_never_have_names_it() -> None:
    found = identify("fzr8v1sn2k3m4po", IRIS)
    assert isinstance(found, Refusal)
    assert "never o" in found.hint


@pytest.mark.parametrize(
    ("number", "meanings", "ways"),
    [
        ("03470547", [Number.ISSN, Number.BIB], ["ISSN 0347-0547", "/bib/3470547"]),
        ("03470547", [Number.BIB, Number.ISSN], ["/bib/3470547", "ISSN 0347-0547"]),
        ("3470547", [Number.BIB, Number.ISSN], ["/bib/3470547", "ISSN 0347-0547"]),
        ("00014664", [Number.BIB, Number.LIBRIS3], ["/bib/14664", "libris3:00014664"]),
        ("1234567", [Number.BIB, Number.HOLDING], ["/bib/1234567", "/hold/1234567"]),
        ("917000059X", [Number.LIBRIS3, Number.ISBN], ["libris3:917000059X", "ISBN 917000059X"]),
        ("306406152", [Number.BIB, Number.ISBN], ["/bib/306406152", "ISBN 0306406152"]),
    ],
)
def test_a_number_that_may_be_either_is_ambiguous(
    number: str, meanings: list[Number], ways: list[str]
) -> None:
    found = identify(number, IRIS, meanings)
    assert isinstance(found, Refusal)
    assert found.code == "ambiguous_number"
    assert [way for way in ways if way not in found.hint] == []
    written = [way if way[0] != "/" else f"http://libris.kb.se{way}" for way in ways]
    assert all(isinstance(identify(way, IRIS, meanings), Identifier) for way in written)


def test_a_bare_number_says_what_to_write() -> None:
    found = identify("1234567", IRIS)
    assert isinstance(found, Refusal)
    assert "as: bib" in found.hint


def test_a_number_that_a_spreadsheet_rounded_says_so() -> None:
    found = identify("9,78917E+12", IRIS)
    assert isinstance(found, Refusal)
    assert "spreadsheet" in found.hint


@pytest.mark.parametrize(
    ("text", "meanings", "canonical"),
    [
        ("1234567", [Number.BIB], "http://libris.kb.se/bib/1234567"),
        ("0001234567"[1:], [Number.BIB], "http://libris.kb.se/bib/1234567"),
        ("1234567", [Number.HOLDING], "http://libris.kb.se/hold/1234567"),
        ("1234567", [Number.LIBRIS3], "libris3:1234567"),
        ("917000059x", [Number.LIBRIS3], "libris3:917000059X"),
        ("1234567", [Number.BIB, Number.LIBRIS3], "http://libris.kb.se/bib/1234567"),
        ("9127015832", [Number.BIB, Number.LIBRIS3], "libris3:9127015832"),
        ("917000059X", [Number.BIB], "isbn:9789170000591"),
        ("917000059X", [Number.LIBRIS3], "libris3:917000059X"),
        ("Y111302721", [Number.LIBRIS3], "libris3:Y111302721"),
        (" y11130 2721 ", [Number.LIBRIS3, Number.BIB, Number.ISBN], "libris3:Y111302721"),
        ("AB12345X", [Number.ISSN, Number.LIBRIS3], "libris3:AB12345X"),
        ("libris III: y111302721", [], "libris3:Y111302721"),
        ("(LIBRIS)Y111302721", [], "libris3:Y111302721"),
        ("libris3:Y111302721", [Number.BIB], "libris3:Y111302721"),
        ("Y111302721", [], "ambiguous_number"),
        ("Y111302721", [Number.ISBN], "unreadable_id"),
        ("Y1113027219", [Number.BIB, Number.HOLDING], "unreadable_id"),
        ("Y1234", [Number.LIBRIS3], "unreadable_id"),
        ("YYYY111302721", [Number.LIBRIS3], "unreadable_id"),
        ("9789170000591", [Number.BIB, Number.LIBRIS3], "isbn:9789170000591"),
        ("9789170000592", [Number.BIB, Number.LIBRIS3], "libris3:9789170000592"),
        ("1234567", [Number.LIBRIS3, Number.BIB], "http://libris.kb.se/bib/1234567"),
        ("3470509", [Number.ISSN, Number.BIB], "http://libris.kb.se/bib/3470509"),
        ("9789170000591", [Number.LIBRIS3, Number.ISBN], "isbn:9789170000591"),
        ("2434561x", [Number.ISSN, Number.BIB], "issn:2434-561X"),
        ("03470547", [Number.ISSN], "issn:0347-0547"),
        ("03470547", [Number.BIB], "http://libris.kb.se/bib/3470547"),
        ("9127015832", [Number.BIB], "bad_check_digit"),
        ("12345678901", [Number.BIB], "unreadable_id"),
        (ID, [Number.BIB], ID),
        ("(LIBRIS)12", [Number.HOLDING], "http://libris.kb.se/bib/12"),
    ],
)
def test_what_a_bare_number_is_taken_for(text: str, meanings: list[Number], canonical: str) -> None:
    assert named(text, *meanings) == canonical


@pytest.mark.parametrize("word", ["OCoLC", "DiVA", "LIBR", "LIBRARY", "BIBSYS", "MTM"])
def test_the_codes_of_other_systems_are_no_typing_errors(word: str) -> None:
    assert not is_libris_code(word)
    assert named(f"({word})123") == f"system:({word})123"


@given(st.text(alphabet=string.digits, min_size=9, max_size=9))
def test_an_isbn_is_the_same_in_both_forms(stem: str) -> None:
    ten = isbn10("978" + stem + "0")
    assert ten is not None
    thirteen = isbn13(ten)
    assert thirteen is not None
    assert isbn13(thirteen) == thirteen
    assert isbn10(thirteen) == ten
    wrong = str((int(thirteen[-1]) + 1) % 10)
    assert isbn13(thirteen[:-1] + wrong) is None


@given(st.text(alphabet=string.digits, min_size=7, max_size=7))
def test_one_check_digit_in_eleven_fits_an_issn(stem: str) -> None:
    assert sum(issn(stem + check) is not None for check in string.digits + "X") == 1


@given(st.text(max_size=320))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = identify(text, IRIS, (Number.BIB,))
    if isinstance(found, Identifier):
        again = identify(found.text, IRIS)
        assert isinstance(again, Identifier)
        assert again.text == found.text
        if found.scheme not in (Scheme.SHORT_ID, Scheme.LEGACY):
            assert of_canonical(found.text) == found


def a_record(record: object = None, thing: object = None) -> dict[str, object]:
    return {"@graph": [{"identifiedBy": record}, {"identifiedBy": thing}]}


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("isbn:9789170000591", a_record(thing=[{"@type": "ISBN", "value": "917000059X"}])),
        ("isbn:9789170000591", a_record(thing={"@type": "ISBN", "value": ["978-91-7000-059-1"]})),
        ("issn:0347-0547", a_record(thing=[{"@type": "ISSN", "value": "0347-0547"}])),
        ("libris3:917000059X", a_record([{"@type": "LibrisIIINumber", "value": "917000059x"}])),
        ("system:(OCoLC)12", a_record([{"@type": "SystemNumber", "value": "(OCoLC)12"}])),
        ("system:(OCoLC)12", a_record(thing=[{"@type": "Identifier", "value": "(OCoLC) 12"}])),
        ("system:BTJ12345", a_record([{"@type": "SystemNumber", "value": "(BTJ)12345"}])),
        (
            "system:BTJ12345",
            a_record(thing=[{"@type": "Identifier", "typeNote": "BTJ", "value": "12345"}]),
        ),
    ],
)
def test_a_record_that_bears_the_number(text: str, document: dict[str, object]) -> None:
    identifier = of_canonical(text)
    assert identifier is not None
    assert bears(document, identifier)
    assert queries(identifier)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("isbn:9789170000591", a_record(thing=[{"@type": "ISBN", "value": "9789170000584"}])),
        ("isbn:9789170000591", a_record(thing=[{"@type": "ISSN", "value": "917000059X"}])),
        ("isbn:9789170000591", a_record([{"@type": "ISBN", "value": "917000059X"}])),
        ("libris3:917000059X", a_record([{"@type": "SystemNumber", "value": "917000059X"}])),
        ("system:(OCoLC)12", a_record([{"@type": "SystemNumber", "value": "(OCoLC)123"}])),
        ("system:BTJ12345", a_record(thing=[{"@type": "Identifier", "value": "12345"}])),
        ("isbn:9789170000591", a_record(thing="917000059X")),
        ("isbn:9789170000591", a_record(thing=[{"@type": "ISBN", "value": {"x": 1}}])),
    ],
)
def test_a_record_that_does_not(text: str, document: dict[str, object]) -> None:
    identifier = of_canonical(text)
    assert identifier is not None
    assert not bears(document, identifier)


def test_an_isbn_is_searched_for_in_both_forms() -> None:
    identifier = of_canonical("isbn:9789170000591")
    assert identifier is not None
    assert queries(identifier) == (
        (
            ("@type", "Instance"),
            ("identifiedBy.value", '"9789170000591"'),
            ("identifiedBy.value", '"917000059X"'),
        ),
    )
