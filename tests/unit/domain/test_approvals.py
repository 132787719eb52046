"""Which answers count: by when they were given, whatever the order in which they are recorded."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.approvals import Against, Approval, Conditions, standing, strictest, weigh
from bulkrunner.domain.text import same_to_the_eye
from tests.support.sizes import examples

STRICT = Conditions(per_night=5)
PLAIN = Conditions()


def yes(given, event, *, by="Karin Ek", conditions=PLAIN, **values):
    return Approval(
        **{
            "plan": "p-1",
            "plan_digest": "sha256:right",
            "approved": True,
            "by": by,
            "reference": "KB 1",
            "text": "",
            "recorded_by": "eva@desk",
            "recorded_at": datetime(2026, 3, 1, tzinfo=UTC),
            "head": f"sha256:{given}",
            "given": given,
            "event": event,
            "conditions": conditions,
            **values,
        }
    )


def no(given, event, **values):
    return yes(given, event, approved=False, **values)


def against(*answers):
    return [one.against for one in weigh(answers)]


COUNTS = None


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        # a no, and what was given before it
        ([yes(10, 11), no(11, 12)], [Against.REJECTED, COUNTS]),
        ([yes(10, 11), no(10, 12), yes(10, 13)], [Against.REJECTED, COUNTS, Against.REPEATED]),
        ([no(11, 12), yes(10, 13)], [COUNTS, Against.BEFORE_NO]),
        ([no(10, 12), yes(11, 13)], [COUNTS, Against.BEFORE_NO]),
        ([no(10, 12), yes(12, 13)], [Against.ANSWERED, COUNTS]),
        ([no(10, 12), yes(-1, 13, head="")], [COUNTS, Against.BEFORE_NO]),
        ([yes(20, 21), no(10, 22)], [Against.REJECTED, COUNTS]),
        ([no(10, 12), no(10, 13)], [Against.REPLACED, COUNTS]),
        # two reviewers, of whom one says no
        (
            [yes(10, 11), yes(10, 12, by="Ulla"), no(10, 13, by="Ulla"), yes(10, 14, by="Åke")],
            [Against.REJECTED, Against.REJECTED, COUNTS, Against.BEFORE_NO],
        ),
        (
            [no(10, 13, by="Ulla"), yes(13, 14), yes(13, 15, by="Ulla")],
            [Against.ANSWERED, COUNTS, COUNTS],
        ),
        # conditions, and what was given before them
        ([yes(12, 13, conditions=STRICT), yes(10, 14)], [COUNTS, Against.BEFORE_STRICTER]),
        ([yes(10, 11), yes(12, 13, conditions=STRICT)], [Against.REPLACED, COUNTS]),
        (
            [yes(10, 11), yes(12, 13, conditions=STRICT), yes(10, 14)],
            [Against.REPLACED, COUNTS, Against.REPEATED],
        ),
        (
            [yes(12, 13, conditions=STRICT), yes(13, 14), yes(11, 15, reference="KB 2")],
            [Against.REPLACED, COUNTS, Against.BEFORE_STRICTER],
        ),
        ([yes(12, 13), yes(10, 14, conditions=STRICT)], [Against.REPLACED, COUNTS]),
        ([yes(12, 13, conditions=STRICT), yes(10, 14, by="Ulla")], [COUNTS, COUNTS]),
        # what is agreed to in particular
        ([yes(12, 13), yes(10, 14, statements=("a = 1",))], [COUNTS, Against.BEFORE_STRICTER]),
        ([yes(12, 13), yes(13, 14, statements=("a = 1",))], [Against.REPLACED, COUNTS]),
        # the same once more, written otherwise
        ([yes(10, 11), yes(10, 12, by="KARIN  EK")], [COUNTS, Against.REPEATED]),
        ([yes(10, 11), yes(10, 12, reference="kb 1 ")], [COUNTS, Against.REPEATED]),
        ([yes(10, 11), yes(10, 12, language="en", text="other")], [COUNTS, Against.REPEATED]),
        (
            [yes(10, 11, signer="k@kb.se", key="SHA256:a"), yes(10, 12, signer="K@KB.se", key="b")],
            [COUNTS, Against.REPEATED],
        ),
    ],
)
def test_an_answer_counts_by_when_it_was_given(answers, wanted):
    assert against(*answers) == wanted


def test_the_clock_says_nothing():
    """It may have been set back between two answers."""
    late, early = datetime(2026, 9, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    first = yes(10, 11, recorded_at=late)
    assert against(first, no(11, 12, recorded_at=early)) == [Against.REJECTED, COUNTS]


def test_an_answer_says_in_whose_place_it_stands_and_what_it_drops():
    strict = Conditions(per_night=5, not_before=date(2026, 12, 1), excluded=("a", "b"))
    looser = Conditions(per_night=6, excluded=("b", "c"))
    first, second = yes(10, 11, conditions=strict), yes(11, 12, conditions=looser)
    found = weigh([first, second])[-1]
    assert found.replaces == first
    assert found.dropped == Conditions(per_night=5, not_before=date(2026, 12, 1), excluded=("a",))
    assert not weigh([second, replace(first, given=12, event=13)])[-1].dropped.per_night


@pytest.mark.parametrize(
    ("later", "lost"),
    [
        (Conditions(per_night=5), Conditions()),
        (Conditions(per_night=4), Conditions()),
        (Conditions(per_night=6), Conditions(per_night=5)),
        (Conditions(), Conditions(per_night=5)),
        (Conditions(not_before=date(2026, 1, 1)), Conditions(per_night=5)),
    ],
)
def test_what_later_conditions_lose(later, lost):
    assert STRICT.lost_in(later) == lost


DAY = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("earlier", "later", "lost"),
    [
        ({"not_before": DAY}, {"not_before": DAY}, False),
        ({"not_before": DAY}, {"not_before": date(2027, 1, 1)}, False),
        ({"not_before": DAY}, {"not_before": date(2026, 11, 30)}, True),
        ({"excluded": ("a", "b")}, {"excluded": ("b", "a", "c")}, False),
        ({"excluded": ("a", "b")}, {"excluded": ("a",)}, True),
        ({}, {"per_night": 1}, False),
    ],
)
def test_a_day_and_records_too(earlier, later, lost):
    assert bool(Conditions(**earlier).lost_in(Conditions(**later))) is lost


def test_the_strictest_of_several_keeps_each_of_them():
    asked = [
        Conditions(per_night=9, not_before=DAY, excluded=("a", "b")),
        Conditions(per_night=5, not_before=date(2026, 11, 30)),
        Conditions(excluded=("b", "c")),
        Conditions(),
    ]
    wanted = Conditions(per_night=5, not_before=DAY, excluded=("a", "b", "c"))
    assert strictest(asked) == strictest(asked[::-1][:1] + asked) == wanted


# --- any order ----------------------------------------------------------------------------------

TERMS = st.builds(
    Conditions,
    per_night=st.none() | st.integers(1, 3),
    not_before=st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 3)),
    excluded=st.lists(st.sampled_from("ab"), unique=True, max_size=2).map(tuple),
)
ANSWERS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["Karin Ek", "Ulla"]), st.integers(0, 12), TERMS),
    min_size=1,
    max_size=7,
)


def recorded(told):
    """Answers as a ledger has them: each event is later than every head named by then."""
    found = []
    for number, (approved, by, head, terms) in enumerate(told):
        event = 2 * (number + 1)
        given_at = min(head, event - 1)
        found.append(yes(given_at, event, by=by, conditions=terms, approved=approved))
    return found


@settings(max_examples=examples(400), deadline=None)
@given(ANSWERS)
def test_nothing_given_before_a_no_counts_after_it(told):
    answers = recorded(told)
    last_no = max((a.event for a in answers if not a.approved), default=-1)
    assert all(answer.given >= last_no for answer in standing(answers))


@settings(max_examples=examples(400), deadline=None)
@given(ANSWERS, st.data())
def test_recording_an_answer_again_loosens_nothing(told, data):
    answers = recorded(told)
    again = data.draw(st.sampled_from([one for one in answers if one.approved] or [None]))
    if again is None:
        return
    replayed = [*answers, replace(again, event=answers[-1].event + 1)]
    assert standing(replayed) == standing(answers)


@settings(max_examples=examples(400), deadline=None)
@given(ANSWERS, TERMS)
def test_an_answer_to_an_older_report_loosens_nothing(told, terms):
    answers = recorded(told)
    old = yes(-1, answers[-1].event + 1, head="", conditions=terms)
    before, after = standing(answers), standing([*answers, old])
    if not before:
        no_stands = any(not one.approved for one in answers)
        assert not (after and no_stands)
        return
    mine = [one for one in before if one.person == old.person and one.given >= 0]
    if mine:
        now = strictest(one.conditions for one in after)
        assert not strictest(one.conditions for one in before).lost_in(now)


# --- who it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jörgen Åberg", "Jo\u0308rgen A\u030aberg"),
        ("Karin Ek", "KARIN EK"),
        ("Karin Ek", "  karin\u00a0\u2003ek "),
        ("Karin Ek", "Karin\u200b Ek\ufeff"),
        ("Karin Ek", "Ek, Karin"),
        ("Karin Ek", "Karin Ek."),
        ("Anna-Karin Ek", "Anna Karin Ek"),
        ("Karin Ek", "К\u0430rin Ek"),
        ("Karin Ek", "\u039aarin \u0395k"),
        ("Karin Ek", "Ｋａｒｉｎ Ｅｋ"),
        ("Karin Lind", "Karin Iind"),
        ("Karin Ek", "Karin\u00ad Ek"),
        ("Karin Ek", "\u202eKarin Ek\u202c"),
        ("Ståle Strøm", "STÅLE STRØM"),
        ("Karin Weiß", "KARIN WEISS"),
        ("Ola Ek", "0la Ek"),
    ],
)
def test_names_that_nobody_can_tell_apart_are_one_person(one, other):
    assert same_to_the_eye(one) == same_to_the_eye(other)
    assert against(yes(10, 11, by=one), yes(11, 12, by=other)) == [Against.REPLACED, COUNTS]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Karin Ek", "Karin Eka"),
        ("Åsa Ek", "Asa Ek"),
        ("Jan Öst", "Jan Ost"),
        ("Karin Ek", "K. Ek"),
        ("Karin Ek", "Karin"),
    ],
)
def test_other_names_are_other_persons(one, other):
    assert same_to_the_eye(one) != same_to_the_eye(other)


@pytest.mark.parametrize("name", ["…", "\u3164", "٣", "!"])
def test_every_name_has_a_key(name):
    assert same_to_the_eye(name)
    assert same_to_the_eye(name) != same_to_the_eye(f"{name} Ek")
