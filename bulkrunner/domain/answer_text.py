"""The text by which a reviewer answers to a plan, and the words beside it that change nothing."""

# ``answer_text`` of an answer is its canonical text: whoever signs the answer signs these very
# characters. What a mail program does to a text (quote marks, other line breaks, lost blanks) is
# undone by reading the answer out of it and writing it anew.

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.standing import Bounds, asked_of

MOST_WORDS = 300  # characters of a name, a reference or a title

# Without these nothing in a title can pass for a label or a sentence of the text.
_WITHOUT_ENDS = re.compile(r"[.:]")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The words of the text in one language; a label may have a remark in brackets."""

    yes: str
    no: str
    plan: str
    digest: str
    job: str
    environment: str
    extent: str
    counts: str
    of_bibs: tuple[str, str]
    ledger: str
    agree: str
    conditions: str
    per_night: str
    not_before: str
    excluded: str
    standing: str
    asked: str
    rule: str
    until: str
    per_run: str
    per_day: str
    counted: Mapping[str, str]
    every: Mapping[str, str]
    reason: str
    name: str
    reference: str
    end: str


LABELS: Mapping[str, Labels] = MappingProxyType(
    {
        "sv": Labels(
            yes="Vi godkänner att den här planen körs.",
            no="Vi godkänner inte den här planen. Den får inte köras.",
            plan="Plan",
            digest="Kontrollsumma",
            job="Jobb",
            environment="Miljö",
            extent="Omfattning",
            counts="{delete} raderas{bibs}, {update} ändras, {create} skapas",
            of_bibs=(" (varav 1 bibliografisk post)", " (varav {n} bibliografiska poster)"),
            ledger="Liggarens kontrollvärde",
            agree="Vi godkänner särskilt detta",
            conditions="Villkor (lämna tomt det som inte gäller)",
            per_night="Högst per natt",
            not_before="Inte före (ÅÅÅÅ-MM-DD)",
            excluded="Undantagna poster",
            standing="Stående godkännande av senare körningar med ändringar av samma slag "
            "(lämna tomt om svaret bara gäller den här planen)",
            asked="Begärt stående godkännande",
            rule="Regelns kontrollsumma",
            until="Stående till och med (ÅÅÅÅ-MM-DD)",
            per_run="Stående högst per körning",
            per_day="Stående högst per dygn",
            counted={
                "records": "i allt",
                "update": "ändras",
                "create": "skapas",
                "delete": "raderas",
            },
            every={"day": "varje dag", "week": "varje vecka", "month": "varje månad"},
            reason="Skäl",
            name="Namn",
            reference="Ärendenummer",
            end="Slut på svaret.",
        ),
        "en": Labels(
            yes="We approve that this plan is run.",
            no="We do not approve this plan. It must not be run.",
            plan="Plan",
            digest="Digest",
            job="Job",
            environment="Environment",
            extent="Extent",
            counts="{delete} deleted{bibs}, {update} changed, {create} created",
            of_bibs=(" (of which 1 bib)", " (of which {n} bibs)"),
            ledger="Ledger",
            agree="We agree to this in particular",
            conditions="Conditions (leave empty what does not apply)",
            per_night="At most per night",
            not_before="Not before (YYYY-MM-DD)",
            excluded="Excluded records",
            standing="Standing approval of later runs with changes of the same kinds "
            "(leave empty if the answer is to this plan alone)",
            asked="Standing approval asked for",
            rule="Rule digest",
            until="Standing until (YYYY-MM-DD)",
            per_run="Standing at most per run",
            per_day="Standing at most in 24 hours",
            counted={
                "records": "in all",
                "update": "changed",
                "create": "created",
                "delete": "deleted",
            },
            every={"day": "every day", "week": "every week", "month": "every month"},
            reason="Reason",
            name="Name",
            reference="Case number",
            end="End of the answer.",
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer to a plan, as a reviewer gives it."""

    approved: bool
    plan: str
    digest: str
    head: str  # the ledger's head that the report named
    by: str = ""
    reference: str = ""
    reason: str = ""  # of a no; may be empty
    agreed: str = ""  # what it agrees to in particular, as found in the text
    statements: tuple[str, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    language: str = "sv"
    bibs: int = 0  # how many of the plan's deletions are bibs
    standing: Bounds | None = None  # within which later plans may run; None: this plan alone


def answer_text(plan: Plan, answer: Answer) -> str:
    """Return the answer's canonical text; of an answer without a name, the form to fill in."""
    words = LABELS[answer.language]
    lines = [words.yes if answer.approved else words.no, ""]
    lines += _about(plan, answer, words)
    if answer.approved and answer.statements:
        lines += ["", f"{words.agree}:", *(f"- {text}" for text in answer.statements)]
    lines.append("")
    if answer.approved:
        asked = answer.conditions
        lines += [
            f"{words.conditions}:",
            f"{words.per_night}: {'' if asked.per_night is None else asked.per_night}",
            f"{words.not_before}: {asked.not_before or ''}",
            f"{words.excluded}: {', '.join(asked.excluded)}",
            "",
            *_standing(plan, answer, words),
        ]
    else:
        lines.append(f"{words.reason}: {line(answer.reason)}")
    lines += [f"{words.name}: {line(answer.by)}", f"{words.reference}: {line(answer.reference)}"]
    return "\n".join([*lines, words.end]) + "\n"


def _standing(plan: Plan, answer: Answer, words: Labels) -> Iterator[str]:
    """Yield the lines of a standing approval, where the manifest asks for one."""
    if (asked := asked_of(plan)) is None:
        return
    given = answer.standing
    yield f"{words.standing}:"
    yield f"{words.asked}: {bounds_line(asked, words)}"
    yield f"{words.rule}: {asked.rule}"
    yield f"{words.until}: {'' if given is None else given.until}"
    yield f"{words.per_run}: {'' if given is None else counts_line(given.per_run, words)}"
    yield f"{words.per_day}: {'' if given is None else counts_line(given.per_day, words)}"
    yield ""


def bounds_line(asked: Bounds, words: Labels) -> str:
    """Return on one line what a manifest asks for."""
    found = {
        words.until: str(asked.until),
        words.per_run: counts_line(asked.per_run, words),
        words.per_day: counts_line(asked.per_day, words),
    }
    told = (f"{label.partition(' (')[0].lower()} {value}" for label, value in found.items())
    return "; ".join([words.every[asked.every], *told])


def counts_line(counts: Mapping[str, int], words: Labels) -> str:
    """Return numbers of changes, each with what it counts."""
    return ", ".join(
        f"{counts[name]} {word}" for name, word in words.counted.items() if name in counts
    )


def _about(plan: Plan, answer: Answer, words: Labels) -> list[str]:
    counts = {name: plan.counts.get(name, 0) for name in ("delete", "update", "create")}
    one, many = words.of_bibs
    of_bibs = "" if not answer.bibs else one if answer.bibs == 1 else many.format(n=answer.bibs)
    title = _WITHOUT_ENDS.sub(" ", str(plan.manifest.get("title") or ""))
    job = f"{line(plan.job)} ({line(title)})"
    place = f"{line(plan.environment)} ({line(plan.addresses.get('base_url', ''))})"
    return [
        f"{words.plan}: {plan.id}",
        f"{words.digest}: {answer.digest}",
        f"{words.job}: {job}",
        f"{words.environment}: {place}",
        f"{words.extent}: {words.counts.format(**counts, bibs=of_bibs)}",
        f"{words.ledger}: {answer.head}",
    ]


def plan_facts(plan: Plan, bibs: int) -> dict[str, list[str]]:
    """Return job, environment and extent of a plan as texts of every language have them."""
    # ``bibs``: how many of its deletions are bibs; earlier texts said nothing of that.
    found: dict[str, list[str]] = {"job": [], "environment": [], "extent": []}
    for number in dict.fromkeys((bibs, 0)):
        answer = Answer(approved=True, plan=plan.id, digest="", head="", bibs=number)
        for words in LABELS.values():
            rows = _about(plan, answer, words)
            for name in found:
                label = f"{getattr(words, name)}: "
                found[name] += [row.removeprefix(label) for row in rows if row.startswith(label)]
    return found


_EXTENTS = tuple(f"{words.extent}:" for words in LABELS.values())
_OF_BIBS = re.compile(
    "|".join(
        re.escape(form).replace(re.escape("{n}"), r"(\d{1,9})")
        for words in LABELS.values()
        for form in words.of_bibs
    )
)


def bibs_in(text: str) -> int:
    """Return how many of the deletions are bibs, as a canonical text says; 0 where it does not."""
    rows = (row for row in text.splitlines() if row.startswith(_EXTENTS))
    found = _OF_BIBS.search(next(rows, ""))
    return 0 if found is None else int(next(filter(None, found.groups()), "1"))


def line(text: str) -> str:
    """Return text as one bounded line without anything invisible in it."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:MOST_WORDS].strip()


def spellings(text: str) -> Iterator[str]:
    """Yield the canonical text as editors may have saved it: other line ends, no blanks at ends."""
    trimmed = "".join(f"{row.rstrip()}\n" for row in text.splitlines())
    for form in dict.fromkeys((text, trimmed)):
        for whole in (form, form.removesuffix("\n")):
            yield whole
            yield whole.replace("\n", "\r\n")


# What is none of these may change what the answer says, so a person is asked about it. The list is
# of what passes, not of what does not: a condition can be put into any words.

_DOUBTS = (
    # negations and exceptions
    *("inte", "icke", "ej", "nej", "ingen", "inget", "inga", "aldrig", "varken", "utan", "utom"),
    *("not", "no", "never", "none", "neither", "nor", "without", "except", "excluding", "don't"),
    *(r"undan\w*", "förutom", "cannot", "can't", "won't", "nope", "nix", r"neka\w*", "avslag"),
    # conditions
    *("men", "dock", "fast", "om", "ifall", "såvida", r"förut\w*", r"villkor\w*", "förbehåll"),
    *("but", "however", "though", "if", "unless", r"provid\w*", r"condition\w*", "subject"),
    *("bara", "endast", "enbart", "blott", "only", "just", "solely", "merely", "krav", "kräver"),
    # times and amounts
    *("först", "sedan", "när", "då", "tills", "innan", "före", "efter", "tidigast", "senast"),
    *("first", "then", "when", "once", "until", "before", "after", "earliest", "latest"),
    *("max", "maximalt", "högst", "minst", "mindre", "fler", "most", "least", "per", "each"),
    *("dag", r"dagar\w*", r"vecko?\w*", r"natt\w*", r"nätter\w*", r"månad\w*", r"helg\w*"),
    *("days?", "daily", "weeks?", "weekly", "nights?", "nightly", "months?", "weekends?", "varje"),
    # what to do instead
    *("stop", "stopp", "stoppa", "vänta", r"avvakta\w*", r"avbryt\w*", r"paus\w*", "wait", "hold"),
    *(r"ångra\w*", r"återkalla\w*", r"återta\w*", "withdraw", "revoke", "cancel", r"test\w*"),
    *("kanske", "eventuellt", "preliminärt", "utkast", "delvis", "maybe", "perhaps", "draft"),
    *(
        "obs",
        "nb",
        "warning",
        "varning",
        "staging",
        "skip",
        r"upphäv\w*",
        r"ogiltig\w*",
        "tillbaka",
    ),
    *(r"avslå\w*", r"avvisa\w*", r"avböj\w*", r"underkän\w*", r"förkasta\w*", "invalid", "void"),
    *(r"reject\w*", r"refus\w*", r"declin\w*", "denied", r"annullera\w*", r"makulera\w*"),
    *("fel", r"felaktig\w*", "wrong", r"mistake\w*", r"recall\w*", r"återkom\w*", r"ogill\w*"),
    *(r"avstå\w*", r"motsätt\w*", r"protest\w*", r"backa\w*", r"inväntar?", r"skjut\w*"),
    *("imorgon", "tomorrow", r"i\W+taget", r"at\W+a\W+time"),
    *(r"(?:mån|tis|ons|tors|fre|lör|sön)dag\w*", r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"),
)
# Of these no name of a person is made.
_WORK_WORDS = (
    *(r"prod\w*", r"miljö\w*", r"plan\w*", r"kör\w*", r"run\w*", "gäller", r"godkän\w*"),
    *(r"approv\w*", r"radera\w*", r"ändra\w*", r"skapa\w*", r"delet\w*", r"chang\w*"),
    *(r"creat\w*", r"post\w*", r"records?", r"ja", r"yes", r"ok", r"okej"),
    *("från", "from", "till", "to", r"skicka\w*", r"beslut\w*", r"avbrut\w*", r"pausa\w*"),
)


def _any_of(words: tuple[str, ...]) -> str:
    return rf"(?<!\w)(?:{'|'.join(words)})(?!\w)"


_DOUBTFUL = re.compile(_any_of(_DOUBTS), re.IGNORECASE)
_NO_NAME = _any_of(_DOUBTS + _WORK_WORDS)
_OF_NOBODY = re.compile(_NO_NAME, re.IGNORECASE)
_CHRISTENED = ("Per", "Max", "Dag")
_NAME = rf"(?:(?:{'|'.join(_CHRISTENED)})(?!\w)|(?!(?i:{_NO_NAME}))[A-ZÅÄÖÆØÉÜ][\w'’.-]*)"
_NAMES = rf"(?:{_NAME})(?: {_NAME}){{0,3}}(?:(?:,| och| and| &) {_NAME}(?: {_NAME}){{0,3}}){{0,2}}"

_PHRASES = (
    # greetings
    rf"(?i:hej|hejsan|hej hej|hallå|tja|tjena|hello|hi|dear|bästa|kära)(?i: igen| again| alla| all)?(?: {_NAMES})?",
    rf"(?i:god|good) (?i:morgon|dag|kväll|middag|morning|day|afternoon|evening)(?: {_NAMES})?",
    r"(?i:goddag|hoppas allt är bra|hope you are well)",
    # thanks
    r"(?i:(?:stort |många )?tack(?:ar)?(?: så mycket)?(?: på förhand| igen)?(?: för (?:rapporten|underlaget|mejlet|mailet|ditt mejl|din rapport|hjälpen))?)",
    r"(?i:(?:many )?(?:thanks|thank you)(?: very much| again| in advance)?(?: for (?:the|your) (?:report|mail|email|message|help))?)",
    # where the answer stands
    r"(?i:(?:här|nedan) (?:kommer|följer|är|står|finns) (?:vårt|mitt|kb:s|kbs|ert)? ?svar(?:et)?(?: på (?:rapporten|din fråga|ditt mejl|ditt mail))?)",
    r"(?i:(?:vårt|mitt|kb:s|kbs)? ?svar(?:et)?(?: på (?:rapporten|ditt mejl|ditt mail))?(?: (?:kommer|följer|står|finns|är|bifogas))?(?: (?:bifogat|nedan|här|härmed|nedanför|längre ned))?)",
    r"(?i:se (?:svar(?:et)? )?(?:nedan|nedanför|bifogat|bilaga|bifogad fil)|bifogat|bifogas|enligt nedan)",
    r"(?i:(?:here is |please find |please see |see |find )?(?:our |my |the |kb's )?(?:answer|reply|response)(?: to (?:the report|your report|your mail|your email))?(?: is| follows| stands)?(?: below| here| attached| enclosed)?)",
    r"(?i:(?:please )?(?:see|find) (?:below|attached|enclosed)|attached|enclosed|as below)",
    # closings
    rf"(?i:(?:med )?(?:vänlig(?:a)?|bästa|varma|många|hjärtliga) hälsning(?:ar)?|mvh|vh|hälsning(?:ar)?|hälsn|vänligen|allt gott)(?: {_NAMES})?",
    rf"(?i:(?:with )?(?:kind|best|warm|many)(?:est)? (?:regards|wishes)|regards|best|sincerely|yours sincerely|yours truly|yours|cheers|all the best)(?: {_NAMES})?",
    r"(?i:ha (?:en|det) (?:så )?(?:bra|fin|fint|trevlig|trevligt|gott|skön)(?: (?:dag|helg|vecka|kväll))?|(?:trevlig|skön) helg|ha det)",
    r"(?i:have a (?:nice|good|great) (?:day|weekend|week|evening))",
    r"(?i:god jul|gott nytt år|god jul och gott nytt år|glad påsk|trevlig midsommar|happy new year|merry christmas)",
    rf"/{{1,2}} ?{_NAMES}",
)
_PHRASE = re.compile("|".join(f"(?:{phrase})" for phrase in _PHRASES))
_CLOSES = re.compile(
    r"(?i:.*(?:hälsning(?:ar)?|hälsn|mvh|vh|vänligen|regards|wishes|sincerely|cheers|yours)\b.*|/{1,2} ?\w.*)"
)
_GREETS = re.compile(r"(?i:hej|hallå|hello|hi|dear|god|good|tack|thanks|thank you)\b")
_CALLED = re.compile(_NAMES)
_ENDS = re.compile(r"[.!,:]+(?:\s+|$)")

_MONTH = (
    r"(?i:jan(?:uari|uary)?|feb(?:ruari|ruary)?|mars|march|mar|apr(?:il)?|maj|may|juni|june|jun|juli|"
    r"july|jul|aug(?:usti|ust)?|sep(?:t|tember)?|okt(?:ober)?|oct(?:ober)?|nov(?:ember)?|"
    r"dec(?:ember)?)"
)
_WEEKDAY = (
    r"(?i:mån(?:dag)?|tis(?:dag)?|ons(?:dag)?|tors?(?:dag)?|fre(?:dag)?|lör(?:dag)?|sön(?:dag)?|"
    r"mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|"
    r"sun(?:day)?)"
)
_ADDRESS = r"<?(?:mailto:)?[\w.+-]+@[\w.-]+\w>?"
_NUMBER = r"[+(]?\d[\d().:/-]*(?:st|nd|rd|th|am|pm)?"
_SMALL = r"(?i:den|on|at|kl|av|by|am|pm|och|and|cet|cest|utc|gmt)"
_HEAD_TOKEN = re.compile(
    rf"(?:{_MONTH}|{_WEEKDAY}|{_NUMBER}|{_ADDRESS}|{_SMALL}|{_NAME})[.,;:]?|<[^<>\s]*>|[-–&]"
)
_OF_PERSONS = re.compile(r"(?i:från|from|till|to|kopia|cc|bcc|svar till|reply-to)\s*:\s*(.*)")
_OF_A_DAY = re.compile(r"(?i:skickat|sent|datum|date)\s*:\s*(.*)")
_SUBJECT = re.compile(r"(?i:ämne|subject)\s*:\s*(.*)")
_TURN = re.compile(r"(.*)\b(?i:skrev|wrote)\b(.*):")
_NEAR = 3  # lines between the sender and the day of a mail's head, at most
_BETWEEN = re.compile(
    r"-{2,}\s*(?i:ursprungligt meddelande|original message|vidarebefordrat meddelande|"
    r"forwarded message)\s*-{2,}"
    r"|(?i:begin forwarded message|vidarebefordrat brev)\s*:"
    r"|(?i:(?:skickat från min|sent from my) (?:iphone|ipad|mobil|telefon|android|phone))"
    r"|(?i:(?:skaffa outlook för|get outlook for) (?:ios|android)(?: ?<[^<>\s]*>)?)"
)
# A row of signs that say nothing.
_RULE = re.compile(r"[\s!-/:-@\[-`{-~–—…·•]*")
# But for a box that nobody has ticked.
_UNTICKED = re.compile(r"[\[({][\s._-]*[\])}]")

_WORK = (
    *("och", "and", "of", "för", "for", "vid", "at", "the", "i", "in", "de", "von", "af", "av"),
    *("biblioteket", "nationalbiblioteket", "universitetsbiblioteket", "stadsbiblioteket"),
    *("bibliotekarie", "systembibliotekarie", "systemförvaltare", "förvaltare", "handläggare"),
    *("avdelning", "avdelningen", "enhet", "enheten", "enhetschef", "chef", "samordnare"),
    *("metadata", "libris", "utvecklare", "redaktör", "katalogisatör", "samlingar", "system"),
    *("library", "national", "librarian", "department", "unit", "head", "cataloguer", "systems"),
    *("tel", "tfn", "telefon", "phone", "mobil", "mobile", "mob", "växel", "direkt", "fax"),
    *("e-post", "epost", "e-mail", "email", "mail", "mejl", "www", "box", "postadress"),
    *("besöksadress", "adress", "address", "sweden", "sverige", "stockholm"),
)
_CONTACT_TOKEN = re.compile(
    rf"(?:{_NAME}|{_NUMBER}|{_ADDRESS}|(?i:{'|'.join(map(re.escape, _WORK))})"
    r"|(?:https?://|www\.)[\w./?=&%#~+-]+|<[^<>\s]*>)[.,;:]?"
)
_SHOUTED = re.compile(r"[A-ZÅÄÖ]{5,}")
_ENOUGH_DIGITS = 6
_MOST_TOKENS = 12


def doubtful(text: str) -> bool:
    """Return True if a text has a word that may be a negation, a condition, a time, an amount."""
    return _DOUBTFUL.search(text) is not None


def of_nobody(word: str) -> bool:
    """Return True if a word is no part of a name, nor of a case number."""
    return word not in _CHRISTENED and _OF_NOBODY.search(word) is not None


def asked_about(beside: str) -> tuple[str, ...]:
    """Return the lines of words beside an answer that may change what it says."""
    found = []
    contact = False  # below the mark of a signature, or below a closing
    lines = [" ".join(row.split()).strip("*_ ") for row in beside.splitlines()]
    for number, line in enumerate(lines):
        if _RULE.fullmatch(line) and not _UNTICKED.search(line):
            contact = contact or line == "--"
        elif _is_head(line, lines[max(0, number - _NEAR) : number + 1 + _NEAR]):
            contact = False
        elif _is_courtesy(line):
            contact = contact or _CLOSES.fullmatch(line) is not None
        elif not (contact and _is_contact(line)):
            found.append(line)
    return tuple(found)


def _is_courtesy(line: str) -> bool:
    pieces = [piece.strip() for piece in _ENDS.split(line)]
    before = ""
    for piece in pieces:
        called = _CALLED.fullmatch(piece) and (_GREETS.match(before) or _CLOSES.fullmatch(before))
        if piece and not called and not _PHRASE.fullmatch(piece):
            return False
        before = piece
    return True


def _is_head(line: str, near: Sequence[str]) -> bool:
    """Return True for a line of a mail's head; a day by itself may be a condition."""
    if _BETWEEN.fullmatch(line):
        return True
    if subject := _SUBJECT.fullmatch(line):
        return not doubtful(subject[1])
    if _OF_PERSONS.fullmatch(line):
        return _names_persons(line)
    if day := _OF_A_DAY.fullmatch(line):
        return _all_tokens(day[1], _HEAD_TOKEN) and any(map(_names_persons, near))
    if turn := _TURN.fullmatch(line):
        return _all_tokens(f"{turn[1]} {turn[2]}", _HEAD_TOKEN)
    begun = line.lower().startswith(("den ", "on ")) and _all_tokens(line, _HEAD_TOKEN)
    return begun and ("@" in line or any(map(_TURN.fullmatch, near)))


def _names_persons(line: str) -> bool:
    head = _OF_PERSONS.fullmatch(line)
    if head is None or not _all_tokens(head[1], _HEAD_TOKEN):
        return False
    words = (word.strip(".,;:<>") for word in head[1].split())
    return any("@" in word or (_NAMED.match(word) and not _DATED.fullmatch(word)) for word in words)


_DATED = re.compile(f"{_MONTH}|{_WEEKDAY}")


def _is_contact(line: str) -> bool:
    digits = sum(char.isdigit() for char in line)
    if _SHOUTED.search(line) or (digits and digits < _ENOUGH_DIGITS and not _NAMED.search(line)):
        return False
    return _all_tokens(re.sub(r"[|•·]", " ", line), _CONTACT_TOKEN)


_NAMED = re.compile(_NAME)


def _all_tokens(text: str, token: re.Pattern[str]) -> bool:
    words = text.split()
    return len(words) <= _MOST_TOKENS * 2 and all(token.fullmatch(word) for word in words)
