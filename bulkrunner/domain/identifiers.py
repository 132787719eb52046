"""What a text of a list names: every way in which people and systems write a record's number."""

# Each becomes one canonical text, so that the same record written in two ways is seen to be one:
# fzr8v1sn2k3m4p5 short id, or an address of the record in any environment
# http://libris.kb.se/bib/1234567 legacy address, legacy number, ``(LIBRIS)`` number
# libris3:917000059X number of LIBRIS III, also libris3:Y111302721 isbn:9789170000591,
# issn:0347-0547 with their check digits proved system:(OCoLC)123456 number of another system

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from urllib.parse import unquote

from bulkrunner.domain.iris import SHORT_ID, IriMap
from bulkrunner.domain.refusals import Refusal
from bulkrunner.sentences import Sentence, verbatim

MOST = 300  # characters of an identifier; a longer text names no record


class Scheme(StrEnum):
    """How a canonical text is resolved to a record."""

    SHORT_ID = "short_id"
    LEGACY = "legacy"
    LIBRIS3 = "libris3"
    ISBN = "isbn"
    ISSN = "issn"
    SYSTEM = "system"


class Number(StrEnum):
    """What a bare number may be taken for where the manifest says so (``as``)."""

    BIB = "bib"
    HOLDING = "holding"
    LIBRIS3 = "libris3"
    ISBN = "isbn"
    ISSN = "issn"


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """A record as it was named; ``text`` is the canonical form."""

    scheme: Scheme
    text: str

    @property
    def value(self) -> str:
        """The canonical form without its scheme."""
        if self.scheme in (Scheme.SHORT_ID, Scheme.LEGACY):
            return self.text
        return self.text.partition(":")[2]


_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))

_BLANKS = re.compile(r"[\s\u200b\u2060\ufeff]+")

# Numbers of LIBRIS III that begin with letters, as ``Y111302721``.
_LETTERED = "[A-Za-z]{1,3}[0-9]{5,12}[Xx]?"

_LIBRIS_NUMBER = re.compile(rf"\(?\s*([A-Za-z-]{{4,9}})\s*\)\s*([0-9]{{1,14}}[Xx]?|{_LETTERED})")

_BARE = re.compile(rf"[0-9]{{1,14}}[Xx]?|[0-9]{{9}}[Xx]|{_LETTERED}")

_LABELLED = re.compile(r"(?:urn:)?(isbn|issn)(?:-1[03])?[:\s]*([0-9][0-9Xx\s-]*)", re.IGNORECASE)

_LIBRIS3 = re.compile(rf"libris\s?(?:3|iii)\s*:\s*([0-9]{{1,14}}[Xx]?|{_LETTERED})", re.IGNORECASE)

_HYPHENED = re.compile(r"[0-9][0-9\s-]*[0-9Xx]")

_SYSTEM = re.compile(r"(?:system:)?(\([^\s()][^()]{0,39}\)\s*\S.*)", re.DOTALL)

_BTJ = re.compile(r"(?:system:)?(BTJ)[\s:-]*([0-9A-Za-z][0-9A-Za-z-]*)", re.IGNORECASE)

_SPOILT_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")

# Where legacy addresses stand, whatever environments are known.
_CATALOGUE = "https://libris.kb.se/"

_ADDRESS = re.compile(r"(?:https?:)?//([^/?#\s]+)/([^?#\s]*)[^\s]*", re.IGNORECASE)

_BARE_ADDRESS = re.compile(r"[a-z0-9.-]+\.[a-z]{2,}/\S+", re.IGNORECASE)

_NUMBERED = re.compile(r"(?:resource/)?(bib|hold|auth)/0*([0-9]{1,12})")

_BEFORE_ID = re.compile(r"(?:(?:sv|en|katalogisering)/)+", re.IGNORECASE)

_BEHIND_ID = re.compile(r"(?:data(?:-view)?(?:\.[a-z]{2,7})?)?", re.IGNORECASE)

_NEARLY = re.compile(r"[0-9a-z]{15,16}", re.IGNORECASE)

# What stands in parentheses before this catalogue's own legacy number of a bib.
_OWN_CODES = ("LIBRIS", "SE-LIBR")

_LONGEST_LEGACY = 9


def identify(text: str, iris: IriMap, meanings: Sequence[Number] = ()) -> Identifier | Refusal:
    """Return what a text names, blanks around it aside."""
    # ``meanings``: what bare numbers are; a number whose form allows several is ambiguous.
    given = text.strip()
    if SHORT_ID.fullmatch(given):
        return Identifier(scheme=Scheme.SHORT_ID, text=given)
    if not given or len(given) > MOST:
        return _unreadable(given)
    if (address := _address(given, iris)) is not None:
        return address
    for read in (_libris_number, _labelled, _libris3, _btj):
        if (named := read(given)) is not None:
            return named
    if given.isascii() and SHORT_ID.fullmatch(given.lower()):
        return Identifier(scheme=Scheme.SHORT_ID, text=given.lower())
    tidy = _BLANKS.sub("", given.translate(_DASHES))
    if _BARE.fullmatch(tidy):
        return _bare(tidy.upper(), meanings)
    if _HYPHENED.fullmatch(tidy):
        return _hyphened(tidy.upper(), given)
    if found := _SYSTEM.fullmatch(given):
        return _of(Scheme.SYSTEM, " ".join(found[1].split()))
    return _unreadable(given)


def of_canonical(text: str) -> Identifier | None:
    """Return the identifier of a canonical text, None where it is none with a scheme of its own."""
    scheme, colon, value = text.partition(":")
    if colon and value and scheme in ("libris3", "isbn", "issn", "system"):
        return Identifier(scheme=Scheme(scheme), text=text)
    return None


def isbn13(text: str) -> str | None:
    """Return an ISBN as 13 digits; None where the check digit or the form is wrong."""
    digits = compact(text)
    if re.fullmatch(r"97[89][0-9]{10}", digits):
        weighed = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits))
        return digits if weighed % 10 == 0 else None
    if not re.fullmatch(r"[0-9]{9}[0-9X]", digits) or _mod11(digits, 10):
        return None
    stem = "978" + digits[:9]
    weighed = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(stem))
    return stem + str(-weighed % 10)


def isbn10(thirteen: str) -> str | None:
    """Return the older form of an ISBN of 13 digits; None where there is none (979)."""
    if not thirteen.startswith("978"):
        return None
    stem = thirteen[3:12]
    check = -sum(int(digit) * (10 - at) for at, digit in enumerate(stem)) % 11
    return stem + ("X" if check == 10 else str(check))


def issn(text: str) -> str | None:
    """Return an ISSN as ``0347-0547``; None where the check digit or the form is wrong."""
    digits = compact(text)
    if not re.fullmatch(r"[0-9]{7}[0-9X]", digits) or _mod11(digits, 8):
        return None
    return f"{digits[:4]}-{digits[4:]}"


def compact(text: str) -> str:
    """Return a number without hyphens and blanks, X in upper case."""
    return _BLANKS.sub("", text.translate(_DASHES)).replace("-", "").upper()


def is_libris_code(word: str) -> bool:
    """Return True if a word in parentheses is this catalogue's, also with one typing error."""
    upper = word.upper()
    return upper in _OWN_CODES or _one_edit(upper, "LIBRIS")


# Forms


def _address(given: str, iris: IriMap) -> Identifier | Refusal | None:
    """Return what an address of a known environment names, as browsers and exports give it."""
    whole = f"//{given}" if _BARE_ADDRESS.fullmatch(given) else given
    found = _ADDRESS.fullmatch(whole)
    if found is None:
        return None
    address = f"{found[1].lower()}/{found[2]}"
    for base in (*iris.bases, _CATALOGUE):
        beginning = base.partition("//")[2]
        if address.startswith(beginning):
            # A fragment may be hidden in the path by whoever passed the address on.
            path = unquote(address.removeprefix(beginning)).partition("#")[0]
            return _of_path(path.rstrip("/")) or _no_record(given, base)
    return None


def _of_path(path: str) -> Identifier | None:
    """Return what the path of an address names: the record, in whatever view of it."""
    path = path[found.end() :] if (found := _BEFORE_ID.match(path)) else path
    if numbered := _NUMBERED.fullmatch(path):
        return Identifier(
            scheme=Scheme.LEGACY, text=f"http://libris.kb.se/{numbered[1]}/{numbered[2]}"
        )
    record, _, view = path.partition("/")
    if record.isascii() and SHORT_ID.fullmatch(record.lower()) and _BEHIND_ID.fullmatch(view):
        return Identifier(scheme=Scheme.SHORT_ID, text=record.lower())
    return None


def _no_record(given: str, base: str) -> Refusal:
    return Refusal(
        code="unreadable_id",
        message=Sentence("no_address", given=given[:120]),
        hint=Sentence("no_address_hint", base=base),
    )


def _libris_number(given: str) -> Identifier | None:
    found = _LIBRIS_NUMBER.fullmatch(given)
    if found is None or not is_libris_code(found[1]):
        return None
    number = found[2].upper()
    # Numbers of today's catalogue have at most eight digits; longer ones are those before it.
    if number.isdigit() and len(number) <= _LONGEST_LEGACY:
        return _legacy(Number.BIB, number)
    return _of(Scheme.LIBRIS3, number)


def _labelled(given: str) -> Identifier | Refusal | None:
    found = _LABELLED.fullmatch(given.translate(_DASHES))
    if found is None:
        return None
    kind = found[1].lower()
    value = isbn13(found[2]) if kind == "isbn" else issn(found[2])
    if value is None:
        return _bad_check_digit(given, kind.upper())
    return _of(Scheme(kind), value)


def _libris3(given: str) -> Identifier | None:
    found = _LIBRIS3.fullmatch(given)
    return _of(Scheme.LIBRIS3, found[1].upper()) if found else None


def _btj(given: str) -> Identifier | None:
    found = _BTJ.fullmatch(given)
    if found is None or not any(letter.isdigit() for letter in found[2]):
        return None
    return _of(Scheme.SYSTEM, "BTJ" + found[2].upper())


def _hyphened(tidy: str, given: str) -> Identifier | Refusal:
    value = compact(tidy)
    if len(value) == 8 and (found := issn(value)):
        return _of(Scheme.ISSN, found)
    if found := isbn13(value):
        return _of(Scheme.ISBN, found)
    if len(value) in (8, 10, 13):
        return _bad_check_digit(given, "ISSN" if len(value) == 8 else "ISBN")
    return _unreadable(given)


def _bare(number: str, meanings: Sequence[Number]) -> Identifier | Refusal:
    if len(meanings) > 1:
        possible = [meaning for meaning in meanings if _may_mean(number, meaning)]
        if len(possible) > 1:
            return _ambiguous(number, possible)
        meanings = (*possible, *(meaning for meaning in meanings if meaning not in possible))
    for meaning in meanings:
        if found := _MEANINGS[meaning](number):
            return found
    if len(number) != 8 or not number.isdigit():
        # A legacy number never has this form, and a check digit seldom fits by chance.
        if value := isbn13(number):
            return _of(Scheme.ISBN, value)
        if value := issn(number):
            return _of(Scheme.ISSN, value)
    kind = _unfit(number, meanings)
    if kind:
        return _bad_check_digit(number, kind)
    if meanings:
        words = ", ".join(meaning.value for meaning in meanings)
        return Refusal(
            code="bad_check_digit"
            if len(number) in (8, 10, 13) and number[:-1].isdigit()
            else "unreadable_id",
            message=Sentence("number_form", number=number, kinds=words),
            hint=Sentence("number_form_hint"),
        )
    return _unsaid(number)


def _unsaid(number: str) -> Refusal:
    if number[0].isalpha():
        return Refusal(
            code="ambiguous_number",
            message=Sentence("number_of_libris3", number=number),
            hint=Sentence("number_of_libris3_hint", number=number),
        )
    return Refusal(
        code="ambiguous_number",
        message=Sentence("number_of_what", number=number),
        hint=Sentence("number_of_what_hint"),
    )


def _may_mean(number: str, meaning: Number) -> bool:
    """Return True if a number may be of a kind, among others."""
    # A spreadsheet may have cut its zeros.
    match meaning:
        case Number.ISSN:
            return len(number) >= 4 and issn(number.zfill(8)) is not None
        case Number.ISBN:
            return len(number) >= 8 and isbn13(number.zfill(10)) is not None
        case Number.LIBRIS3:
            # They were made of ISBN, ISSN, or ten digits.
            long = len(number) >= 10 or not number.isdigit()
            return (long or issn(number) is not None) and _as_libris3(number) is not None
        case _:
            return _MEANINGS[meaning](number) is not None


def _ambiguous(number: str, possible: Sequence[Number]) -> Refusal:
    ways = [verbatim(f"`{way}`") for way in _ways(number, possible)]
    return Refusal(
        code="ambiguous_number",
        message=Sentence(
            "number_of_several",
            number=number,
            kinds=", ".join(meaning.value for meaning in possible),
        ),
        hint=Sentence(
            "number_of_several_hint",
            ways=reduce(lambda one, other: Sentence("either", one=one, other=other), ways),
        ),
    )


def _ways(number: str, possible: Sequence[Number]) -> Iterator[str]:
    """Yield how a number is written so that it can mean nothing else."""
    for meaning in possible:
        match meaning:
            case Number.ISSN:
                yield f"ISSN {issn(number.zfill(8))}"
            case Number.ISBN:
                yield f"ISBN {number if isbn13(number) else number.zfill(10)}"
            case Number.LIBRIS3:
                yield f"libris3:{number}"
            case _:
                yield _legacy(meaning, number).text


def _unfit(number: str, meanings: Sequence[Number]) -> str:
    """Return what a number has the form of, all but its last digit; empty where that is unknown."""
    if not number[:-1].isdigit():
        return ""
    if len(number) in (10, 13):
        is_isbn = Number.ISBN in meanings or (len(number) == 13 and number[:3] in ("978", "979"))
        return "ISBN" if is_isbn else ""
    return "ISSN" if len(number) == 8 and Number.ISSN in meanings else ""


def _as_legacy(kind: Number) -> Callable[[str], Identifier | None]:
    def read(number: str) -> Identifier | None:
        fits = number.isdigit() and len(number) <= _LONGEST_LEGACY
        return _legacy(kind, number) if fits else None

    return read


def _as_isbn(number: str) -> Identifier | None:
    value = isbn13(number)
    return _of(Scheme.ISBN, value) if value else None


def _as_issn(number: str) -> Identifier | None:
    value = issn(number)
    return _of(Scheme.ISSN, value) if value else None


def _as_libris3(number: str) -> Identifier | None:
    is_isbn = len(number) == 13 and isbn13(number) is not None
    return None if is_isbn else _of(Scheme.LIBRIS3, number)


_MEANINGS: dict[Number, Callable[[str], Identifier | None]] = {
    Number.BIB: _as_legacy(Number.BIB),
    Number.HOLDING: _as_legacy(Number.HOLDING),
    Number.LIBRIS3: _as_libris3,
    Number.ISBN: _as_isbn,
    Number.ISSN: _as_issn,
}


def _legacy(kind: Number, number: str) -> Identifier:
    folder = "hold" if kind is Number.HOLDING else "bib"
    number = number.lstrip("0") or "0"
    return Identifier(scheme=Scheme.LEGACY, text=f"http://libris.kb.se/{folder}/{number}")


def _of(scheme: Scheme, value: str) -> Identifier:
    return Identifier(scheme=scheme, text=f"{scheme.value}:{value}")


def _unreadable(given: str) -> Refusal:
    hint: str = ""
    if _SPOILT_NUMBER.fullmatch(given):
        hint = Sentence("number_rounded")
    elif _NEARLY.fullmatch(given) and (strange := sorted(set(given.lower()) & set("aeiouy"))):
        hint = Sentence("id_letters", strange=", ".join(strange))
    return Refusal(
        code="unreadable_id", message=Sentence("id_unknown", given=given[:60]), hint=hint
    )


def _bad_check_digit(given: str, kind: str) -> Refusal:
    return Refusal(
        code="bad_check_digit",
        message=Sentence("bad_check_digit", given=given[:60], kind=kind),
        hint=Sentence("bad_check_digit_hint"),
    )


def _mod11(digits: str, most: int) -> int:
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(value * (most - at) for at, value in enumerate(values)) % 11


def _one_edit(word: str, wanted: str) -> bool:
    """Return True if one letter more, less, other or exchanged with its neighbour makes them equal."""
    if abs(len(word) - len(wanted)) > 1:
        return False
    if len(word) == len(wanted):
        unlike = [at for at in range(len(word)) if word[at] != wanted[at]]
        if len(unlike) == 2 and unlike[1] == unlike[0] + 1:
            first, second = unlike
            return word[first] == wanted[second] and word[second] == wanted[first]
        return len(unlike) <= 1
    shorter, longer = sorted((word, wanted), key=len)
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
