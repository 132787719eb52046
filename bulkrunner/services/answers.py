"""What a reviewer's text means for a plan: each line wholly understood, or the answer refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from bulkrunner.domain.answer_text import (
    LABELS,
    Answer,
    bounds_line,
    line,
    of_nobody,
    plan_facts,
)
from bulkrunner.domain.approvals import MOST_EXCLUDED, Conditions, permitted_statements
from bulkrunner.domain.filled_forms import (
    DASHES,
    GIVEN,
    LINES,
    STANDING,
    FilledForm,
    Found,
    alike,
    unfilled,
)
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.standing import Bounds, asked_of
from bulkrunner.errors import AnswerRefused
from bulkrunner.sentences import Sentence
from bulkrunner.services.given_bounds import ASK_AGAIN, given_within, unclear, written

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLAN = re.compile(r"p-[0-9a-z]{1,40}")
_NUMBER = re.compile(r"(p-[0-9a-z]{1,40})\.([1-9][0-9]{0,8})")
_NIGHT = re.compile(
    r"(?:at most|högst|max\.?|maximalt)?\s*"
    r"([0-9]{1,7}|[0-9]{1,3}(?:[ .,][0-9]{3})+)\.?"
    r"(?:\s*(?:st\.?|poster|ändringar|skrivningar|records|changes|writes))?"
    r"(?:\s*(?:per natt|/ ?natt|a night|per night|/ ?night))?\.?",
    re.IGNORECASE,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BETWEEN = frozenset({"och", "and", "samt", "-"})
_SPLIT = re.compile(r"[\s,;]+")
_OTHER_PLAN = re.compile(r"(?<![\w-])p-[0-9a-z]{10}(?!\w)")
_RANGE = re.compile(r"\w[.>)]?[ \t]+(?:-+|\.{2,}|…)[ \t]+[<(]?\w")
# Lines that an answer has; of conditions those may be left out that it does not set.
_NEEDED = ("plan", "digest", "job", "environment", "extent", "head", "by", "reference")

# Lines of a no that must be understood; whatever else stands there, it is a no.
_OF_A_NO = ("plan", "digest", "head")


def the_answer(found: Found, *, approved: bool) -> FilledForm:
    """Return the one answer of a text; raise AnswerRefused unless one, filled in, says this."""
    if not found.answers:
        if found.blanks:
            raise AnswerRefused(
                Sentence("answer_blank"),
                hint=Sentence("answer_blank_hint"),
                code="answer_blank",
            )
        raise AnswerRefused(
            Sentence("answer_missing"),
            hint=Sentence(
                "answer_missing_hint", english=LABELS["en"].yes, swedish=LABELS["sv"].yes
            ),
            code="answer_missing",
        )
    if len(found.answers) > 1:
        raise AnswerRefused(
            _several(found.answers),
            hint=Sentence("answers_differ_hint"),
            code="answers_differ",
        )
    form = found.answers[0]
    if form.approved is not approved:
        command = "approve" if form.approved else "reject"
        raise AnswerRefused(
            Sentence("answer_says_yes" if form.approved else "answer_says_no", form=_told(form)),
            hint=Sentence("answer_says_otherwise_hint", command=command),
            code="answer_says_otherwise",
        )
    return form


def _told(form: FilledForm) -> Sentence:
    who = line(form["by"]) or Sentence("answer_person_none")
    plan = line(form["plan"])[:60] or Sentence("answer_plan_none")
    return Sentence(
        "answer_in_short_yes" if form.approved else "answer_in_short_no", plan=plan, who=who
    )


def _several(answers: Sequence[FilledForm]) -> Sentence:
    count, told = len(answers), [_told(form) for form in answers[:5]]
    one, other = answers[:2]
    names = [name for name in LINES if alike(one[name]) != alike(other[name])]
    if one.approved is not other.approved or not names:
        return Sentence("answers_differ", count=count, told=told)
    return Sentence("answers_differ_in_line", count=count, told=told, line=repr(LINES[names[0]]))


def plan_named(form: FilledForm) -> str:
    """Return the id of the plan that an answer is to; raise AnswerRefused if it names none."""
    name = _hyphened("".join(form["plan"].split()))
    if not _PLAN.fullmatch(name):
        raise unclear("plan", form["plan"], Sentence("answer_wants_plan"))
    return name


def understood(
    form: FilledForm, plan: Plan, *, holds: Callable[[str], bool], bibs: int = 0
) -> Answer:
    """Return what an answer says of a plan; every line of a yes is understood wholly.

    ``bibs`` is how many of the plan's deletions are bibs. AnswerRefused: other digest, or doubt.
    """
    digest = _digest("digest", form)
    if digest != plan.plan_digest:
        raise other_digest(digest, plan)
    for name, lacks in (
        ("by", Sentence("answer_without_name")),
        ("reference", Sentence("answer_without_case")),
    ):
        if unfilled(form[name]):
            raise AnswerRefused(
                lacks,
                hint=Sentence("answer_ask_for_it"),
                code="answer_blank",
            )
    _check_twice(form)
    if form.approved:
        _check_facts(form, plan, bibs)
        _check_lines(form)
    answer = Answer(
        approved=form.approved,
        plan=plan.id,
        digest=digest,
        head=_digest("head", form),
        by=line(form["by"]),
        reference=line(form["reference"]),
        reason=line(form["reason"]),
        language=form.language,
        bibs=bibs,
    )
    if not form.approved:
        return answer
    return replace(
        answer,
        by=_name(form["by"]),
        reference=_case(form["reference"]),
        statements=_agreed(form["agreed"], plan),
        conditions=_conditions(form, plan, holds),
        standing=_standing(form, plan),
    )


def _check_twice(form: FilledForm) -> None:
    for name in form.twice:
        if form.approved or name in _OF_A_NO:
            raise AnswerRefused(
                Sentence("answer_line_twice", lines=repr(LINES[name])),
                hint=ASK_AGAIN,
                code="answer_unclear",
            )


def _check_lines(form: FilledForm) -> None:
    if form.stray:
        raise AnswerRefused(
            Sentence("answer_words_between", stray=repr(line(form.stray)[:100])),
            hint=ASK_AGAIN,
            code="answer_unclear",
        )
    for name in _NEEDED:
        if not form.has(name):
            raise AnswerRefused(
                Sentence("answer_line_gone", lines=repr(LINES[name])),
                hint=ASK_AGAIN,
                code="answer_unclear",
            )
    if not unfilled(form["conditions"]):
        raise unclear("conditions", form["conditions"], Sentence("answer_wants_nothing"))
    if form.has("reason"):
        raise AnswerRefused(
            Sentence(
                "answer_yes_with_reason",
                reason=repr(LINES["reason"]),
                reason2=repr(line(form["reason"])[:100]),
            ),
            hint=ASK_AGAIN,
            code="answer_unclear",
        )


def _check_facts(form: FilledForm, plan: Plan, bibs: int) -> None:
    for name, known in plan_facts(plan, bibs).items():
        if form.has(name) and alike(form[name]) not in map(alike, known):
            raise unclear(
                name, form[name], Sentence("answer_wants_as_reported", known=repr(known[0]))
            )


def words_beside(found: Found, plan: Plan, bibs: int) -> str:
    """Return the words of a text that are not the form's, those in blank forms among them."""
    rows = [found.beside] if found.beside else []
    others = dict.fromkeys(_OTHER_PLAN.findall(found.beside))
    rows += (f"another plan is named: {name}" for name in others if name != plan.id)
    for form in found.blanks:
        rows += (f"{LINES[name]}: {line(form[name])}" for name in _foreign(form, plan, bibs))
    return "\n".join(rows)


def _foreign(form: FilledForm, plan: Plan, bibs: int) -> Iterator[str]:
    """Yield the lines of a blank form that are not as the report of the plan has them."""
    known = {"plan": [plan.id], "digest": [plan.plan_digest or ""], **plan_facts(plan, bibs)}
    for name in ("plan", "digest", "job", "environment", "extent"):
        if form.has(name) and alike(form[name]) not in map(alike, known[name]):
            yield name
    if form.has("head") and not _DIGEST.fullmatch("".join(form["head"].split())):
        yield "head"
    if not unfilled(form["conditions"]):
        yield "conditions"
    try:
        _agreed(form["agreed"], plan)
    except AnswerRefused:
        yield "agreed"


def other_digest(digest: str, plan: Plan) -> AnswerRefused:
    """Return the error of an answer to another plan than this."""
    return AnswerRefused(
        Sentence(
            "answer_digest_differs", digest=digest, plan=plan.id, plan_digest=plan.plan_digest
        ),
        hint=Sentence("answer_digest_differs_hint", plan=plan.id),
        code="other_digest",
    )


def _digest(name: str, form: FilledForm) -> str:
    found = "".join(form[name].split()).lower()
    if not _DIGEST.fullmatch(found):
        raise unclear(name, form[name], Sentence("answer_wants_digest"))
    return found


def _agreed(text: str, plan: Plan) -> tuple[str, ...]:
    rest = f" {' '.join(text.split())} "
    known = permitted_statements(plan)
    there, count = set(), 0
    for statement in sorted(known, key=len, reverse=True):
        told = f" {' '.join(statement.split())} "
        if told in rest:
            there.add(statement)
            count += rest.count(told)
            rest = rest.replace(told, " ")
    if left := rest.strip(" -•*·"):
        listed = "; ".join(known) or Sentence("statements_nothing")
        raise AnswerRefused(
            Sentence("answer_statement_unasked", left=repr(left[:200]), plan=plan.id),
            hint=Sentence("plan_statements", listed=listed),
            code="unknown_statement",
        )
    if len(rest.split()) not in (
        0,
        count,
    ):  # a mail program takes away every mark of a list, or none
        raise AnswerRefused(
            Sentence("answer_statements_apart", plan=plan.id),
            hint=Sentence("answer_statements_apart_hint"),
            code="unknown_statement",
        )
    return tuple(statement for statement in known if statement in there)


def _conditions(form: FilledForm, plan: Plan, holds: Callable[[str], bool]) -> Conditions:
    return Conditions(
        per_night=_per_night(form["per_night"]),
        not_before=_day("not_before", _hyphened(form["not_before"])),
        excluded=excluded(_SPLIT.split(_each_named(form["excluded"])), plan, holds),
    )


def _standing(form: FilledForm, plan: Plan) -> Bounds | None:
    """Return the standing approval that an answer gives; None where it is to this plan alone."""
    there = [name for name in STANDING if form.has(name)]
    asked = asked_of(plan)
    if asked is None:
        if there:
            name = there[0]
            said = Sentence("answer_standing_none", plan=plan.id)
            raise unclear(name, form[name] or LINES[name], said)
        return None
    if not unfilled(form["standing"]):
        raise unclear("standing", form["standing"], Sentence("answer_wants_nothing"))
    known = [bounds_line(asked, words) for words in LABELS.values()]
    if form.has("asked") and alike(form["asked"]) not in map(alike, known):
        said = Sentence("answer_wants_as_reported", known=repr(known[0]))
        raise unclear("asked", form["asked"], said)
    if form.has("rule") and _digest("rule", form) != asked.rule:
        raise unclear(
            "rule", form["rule"], Sentence("answer_wants_as_reported", known=repr(asked.rule))
        )
    if all(unfilled(form[name]) for name in GIVEN):
        return None
    for name in STANDING:
        if not form.has(name):
            raise AnswerRefused(
                Sentence("answer_line_gone", lines=repr(LINES[name])),
                hint=ASK_AGAIN,
                code="answer_unclear",
            )
    until = _day("until", _hyphened(form["until"]))
    if until is None:
        raise unclear("until", form["until"] or "…", Sentence("answer_wants_until"))
    return given_within(asked, until=until, per_run=form["per_run"], per_day=form["per_day"])


def _each_named(text: str) -> str:
    """Return a list of ids; a dash or dots between two may mean all that lie between them."""
    text = _hyphened(text)
    for row in text.splitlines():
        if _RANGE.search(row) and not row.lstrip().startswith("-"):
            raise unclear("excluded", row, Sentence("answer_wants_one_id_each"))
    return text


def _hyphened(text: str) -> str:
    return DASHES.sub("-", text)


def _per_night(text: str) -> int | None:
    if unfilled(text):
        return None
    # A number is not put together from several lines: they may have been cells of a table.
    found = None if "\n" in text.strip() else _NIGHT.fullmatch(written(text))
    number = re.sub(r"[ .,]", "", found[1]) if found else ""
    if not number or int(number) < 1:
        raise unclear("per_night", text, Sentence("answer_wants_number"))
    return int(number)


def _day(name: str, text: str) -> date | None:
    if unfilled(text):
        return None
    try:
        if _DAY.fullmatch(day := written(text)):
            return date.fromisoformat(day)
    except ValueError:
        pass
    raise unclear(name, text, Sentence("answer_wants_day"))


def excluded(given: Sequence[str], plan: Plan, holds: Callable[[str], bool]) -> tuple[str, ...]:
    """Return records and changes that a yes leaves out, each once; AnswerRefused if it is none."""
    words = [word.strip(" .<>()") for word in given]
    named = [word for word in words if word and word.casefold() not in _BETWEEN]
    found = tuple(dict.fromkeys(_excluded(word, plan) for word in named))
    if len(found) > MOST_EXCLUDED:
        raise AnswerRefused(
            Sentence("answer_excludes_too_many", count=len(found), most_excluded=MOST_EXCLUDED),
            hint=Sentence("answer_excludes_too_many_hint"),
            code="answer_unclear",
        )
    for word in found:
        if not holds(word):
            raise AnswerRefused(
                Sentence("answer_excludes_unknown", word=word, plan=plan.id),
                hint=Sentence("answer_excludes_unknown_hint"),
                code="unknown_exclusion",
            )
    return found


def _excluded(word: str, plan: Plan) -> str:
    if (number := _NUMBER.fullmatch(word)) and number[1] == plan.id:
        return word
    name = word.removesuffix("#it").rpartition("/")[2]
    if not SHORT_ID.fullmatch(name):
        raise unclear("excluded", word, Sentence("answer_wants_ids", plan=plan.id))
    return name


_ADDRESS = re.compile(r"<(?:mailto:)?[^<>\s]+@[^<>\s]+>", re.IGNORECASE)
_NAME_WORD = re.compile(r"[^\W\d_]+(?:[-.'’´][^\W\d_]+)*\.?")
_PARTICLE = re.compile(r"a[flv]|d'|d(?:a|e|el|en|er|i|u)|el|la|le|och|te|van|von|zu|and")
_MOST_NAMES, _MOST_CASE_WORDS = 6, 10
_CASE_WORD = re.compile(
    r"[\w./:&+%#@?=~-]*\d[\w./:&+%#@?=~-]*|[A-ZÅÄÖ][^\W\d_]{0,11}[.:]?|[^\W\d_]{1,3}[.:]?|[-/]"
)
_CASE_WORDS = re.compile(
    r"av|den|diarien(?:r|ummer)|dnr|e-?post|från|kl\.?|mail|mejl|nr\.?|nummer|på|samtal|telefon|till|"
    r"ärende(?:n(?:r|ummer))?|call|case|dated|from|letter|no\.?|number|of|on|phone|the|to|januari|"
    r"februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
    re.IGNORECASE,
)

# A day from which or to which something holds is no part of a case number.
_FROM_A_DAY = re.compile(
    r"(?<!\w)(?:fr\.? ?o\.? ?m\.?|t\.? ?o\.? ?m\.?|fom|tom|v\.? ?(?=\d{1,2}\b)"
    r"|(?:från|from|till|to)(?: den| the)? (?=\d))",
    re.IGNORECASE,
)


def _name(text: str) -> str:
    """Return the name of a person; words that are none may be a condition."""
    said = " ".join(_ADDRESS.sub(" ", written(text)).split())
    words = [word.strip(",()") for word in said.split()]
    small = [word for word in words if word[:1].islower() and not _PARTICLE.fullmatch(word)]
    shouted = [word for word in words if len(word) > 4 and word.isupper()]
    if (
        not 0 < len(words) <= _MOST_NAMES
        or not all(_NAME_WORD.fullmatch(word) for word in words)
        or any(map(of_nobody, words))
        or (small and (len(small) < len(words) or len(words) > _MOST_NAMES // 2))
        or (shouted and any(not word.isupper() for word in words))
    ):
        raise unclear("by", text, Sentence("answer_wants_name"))
    return line(_ADDRESS.sub(" ", text))


def _case(text: str) -> str:
    """Return a case number, or where else the answer is kept."""
    words = written(text).split()
    if _FROM_A_DAY.search(written(text)):
        raise unclear("reference", text, Sentence("answer_wants_number_no_day"))
    known = (_CASE_WORDS.fullmatch(word) or _CASE_WORD.fullmatch(word) for word in words)
    odd = [word for word in words if not _CASE_WORDS.fullmatch(word) and of_nobody(word)]
    if len(words) > _MOST_CASE_WORDS or odd or not all(known):
        raise unclear("reference", text, Sentence("answer_wants_case"))
    return line(text)
