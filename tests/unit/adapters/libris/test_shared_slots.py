"""Requests under way at a time, shared by all processes on a ledger."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.ledger.rate_limits import TURN, shares
from bulkrunner.adapters.pacing.shared import IDLE, LIFE, SharedSlots
from bulkrunner.domain.run import Owner
from bulkrunner.errors import Interrupted, LedgerUnavailable
from tests.support.client import StillClock

PLACE = "http://a"


class Minute(StillClock):
    """A clock that a test moves; who waits on it waits for somebody else, or gets nothing."""

    def __init__(self):
        super().__init__()
        self.waits = []
        self.during = []

    def now(self):
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def wait_for(self, condition, is_true, seconds):
        if threading.current_thread().name == "places":
            return condition.wait_for(is_true)
        if is_true():
            return True
        self.waits.append(seconds)
        self.seconds += seconds
        if self.during:
            condition.release()
            try:
                self.during.pop(0)()
            finally:
                condition.acquire()
        return is_true()


class Side:
    """One process on the ledger."""

    def __init__(self, book, clock, number, most=4, dead=()):
        self.told = []
        self.owner = Owner(host="desk", boot="b", pid=number, started="1")
        self.slots = SharedSlots(
            book,
            PLACE,
            most,
            owner=self.owner,
            alive=lambda owner: False if owner in dead else None,
            clock=clock,
            tell=lambda reason, seconds: self.told.append(reason),
        )

    def take(self, count=1, *, in_a_hurry=False):
        for _ in range(count):
            self.slots.take(in_a_hurry=lambda: in_a_hurry)

    def give_back(self, count=1):
        for _ in range(count):
            self.slots.give_back()

    @property
    def usable(self):
        return self.slots._usable


@pytest.fixture
def clock():
    return Minute()


@pytest.fixture
def book(tmp_path, clock):
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        yield ledger.rate_limits


@pytest.fixture
def side(book, clock):
    made = []

    def make(**changes):
        made.append(Side(book, clock, len(made) + 1, **changes))
        return made[-1]

    yield make
    for one in made:
        one.slots.close()


# Who gets how many


@given(
    wants=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    places=st.integers(1, 40),
    turn=st.integers(0, 1000),
)
def test_all_places_are_given_out_and_nobody_lacks_what_another_has_over(wants, places, turn):
    given_ = shares(wants, places, turn)
    assert sum(given_) == places
    for mine, want in zip(given_, wants, strict=True):
        if mine < want and len(wants) <= places:
            assert all(
                other <= max(wanted, mine + 1) for other, wanted in zip(given_, wants, strict=True)
            )
            assert mine >= 1


def test_with_fewer_places_than_processes_each_has_its_turn():
    assert [shares([5, 1, 2], 2, turn) for turn in range(3)] == [[1, 1, 0], [0, 1, 1], [1, 0, 1]]


# Through the ledger


def test_whoever_is_alone_has_all(side):
    one = side()
    one.take(4)
    with pytest.raises(Interrupted):
        one.take(in_a_hurry=True)
    one.give_back()
    one.take()


def test_a_second_process_waits_until_the_first_has_given_back(side, clock):
    one, other = side(), side()
    one.take(4)
    with pytest.raises(Interrupted, match="other processes"):
        other.take(in_a_hurry=True)
    assert other.told == ["other processes use the places of this environment"]
    one.slots.beat()
    assert one.usable == 3, "the other one wants one"
    one.give_back(1)
    other.slots.beat()
    assert other.usable == 0, "what is left unused is not yet given back"
    one.slots.beat()
    other.slots.beat()
    assert (one.usable, other.usable) == (3, 1)
    other.take()


def test_of_two_processes_with_one_place_each_has_its_turn(side, clock):
    sides = [side(most=1), side(most=1)]

    def everybody_beats():
        for one in sides:
            one.slots.beat()

    before = clock.seconds
    for _ in range(3):
        for one in sides:
            clock.during = [everybody_beats] * 1000
            one.take()
            one.give_back()
    assert clock.seconds - before <= 6 * (TURN + 1)


def test_never_more_under_way_than_there_are_places(side, clock):
    """Three processes take, give back and renew at random; the sum never grows too big."""
    sides = [side(most=5) for _ in range(3)]
    state = 12345
    for step in range(600):
        state = (state * 1103515245 + 12345) % 2**31
        one = sides[state % 3]
        match state // 3 % 5:
            case 0 | 1 if one.slots._is_free():
                one.take()
            case 2 if one.slots._used:
                one.give_back()
            case 3:
                one.slots.beat()
            case _:
                clock.seconds += 0.3
                for each in sides if step % 20 == 0 else ():
                    each.slots.beat()
        assert sum(each.slots._used for each in sides) <= 5


def test_a_dead_process_on_this_machine_holds_nobody_up(book, clock):
    dead = Side(book, clock, 1)
    dead.take(4)
    other = Side(book, clock, 2, dead=(dead.owner,))
    clock.during = [other.slots.beat]
    other.take(4)
    assert clock.seconds - 1000 < LIFE / 2
    other.slots.close()


def test_a_dead_process_elsewhere_holds_nobody_up_for_long(book, clock):
    dead, other = Side(book, clock, 1), Side(book, clock, 2)
    dead.take(4)
    before = clock.seconds
    clock.during = [other.slots.beat] * 1000
    other.take()
    assert LIFE - 1 <= clock.seconds - before <= LIFE + 1
    other.slots.close()


def test_a_process_that_slept_past_its_claim_asks_anew(side, clock):
    one, other = side(), side()
    one.take(1)
    clock.seconds += LIFE + 1
    other.take(4)
    with pytest.raises(Interrupted):
        one.take(in_a_hurry=True)
    one.give_back()
    one.slots.beat()
    assert one.usable == 0


def test_who_rests_gives_everything_back(book, clock, side):
    one, other = side(), side()
    one.take()
    one.give_back()
    clock.seconds += IDLE + 1
    one.slots.beat()
    with one.slots._claiming:
        assert one.slots._is_idle()
        one.slots._let_go()
    other.take(4)


def test_nothing_is_left_of_who_closes(book, clock):
    one, other = Side(book, clock, 1), Side(book, clock, 2)
    one.take()
    one.slots.close()
    other.take(4)
    with pytest.raises(Interrupted):
        one.take()
    other.slots.close()


def test_different_limits_do_not_starve_the_lower_one(side):
    wide, narrow = side(most=8), side(most=4)
    wide.take(2)
    assert wide.usable == 8
    narrow.slots.beat()
    for one in (wide, wide, narrow):
        one.slots.beat()
    assert wide.usable + narrow.usable == 4
    assert narrow.usable >= 1


def test_a_claim_from_a_clock_that_was_wrong_does_not_count(book, clock, side):
    odd = Minute()
    odd.seconds += 86400 * 30
    Side(book, odd, 9).take(4)
    one = side()
    one.take(4)


def test_no_place_without_a_ledger(clock):
    class Gone:
        def claim_slots(self, claim):
            raise LedgerUnavailable("the ledger's disk is full")

        def drop_claim(self, place, holder):
            raise LedgerUnavailable("the ledger's disk is full")

    one = Side(Gone(), clock, 1)
    with pytest.raises(LedgerUnavailable):
        one.take()
    one.slots.close()
