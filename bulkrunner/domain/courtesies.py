"""Words beside an answer that change nothing: greetings, names and addresses, heads of mails."""

# What is none of these may change what the answer says, so a person is asked about it. The list is
# of what passes, not of what does not: a condition can be put into any words.

from __future__ import annotations

import re
from collections.abc import Sequence

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
