"""What was created since a moment, from the pages of the feed of changes."""

from datetime import UTC, datetime, timedelta

import pytest

from bulkrunner.domain.catalogue import Activity
from bulkrunner.domain.iris import IriMap
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.running.history import MOST_PAGES, Creations

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BASE = "https://libris-stg.kb.se/"
IRIS = IriMap(bases=(BASE,), target=BASE)
YLM, S62 = "https://libris.kb.se/library/Ylm", "https://libris.kb.se/library/S+62"
A, B = "fzr8v1sn2k3m4p5", "fzr8v1sn2k3m4p6"


class Clock:
    def now(self):
        return NOW


class Feed:
    """Answers with the pages given, one after the other."""

    def __init__(self, *pages):
        self.asked = []
        self._pages = iter(pages)

    def feed_page(self, *, until):
        self.asked.append(until)
        page = next(self._pages)
        if isinstance(page, Exception):
            raise page
        return page


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def change(seconds, record=A, library=YLM, kind="Create"):
    iri = f"{BASE}{record}#it" if record else "https://id.kb.se/term/x"
    return Activity(kind=kind, iri=iri, library=library, published=ago(seconds))


def since(feed, seconds, sigel="Ylm"):
    return Creations(feed, Clock(), IRIS).since(ago(seconds), sigel)


def test_read_until_the_moment_is_passed():
    feed = Feed((change(1), change(5)), (change(5), change(6, B), change(9, "x" * 15)))
    assert since(feed, 8) == {A, B}
    # From the oldest moment seen on, itself included: a page may have ended within it.
    assert feed.asked[1] == int(ago(5).timestamp() * 1000) + 1


def test_creations_of_the_library_only():
    page = (
        change(1),
        change(2, B, S62),
        change(3, "x" * 15, S62, kind="Delete"),
        change(4, None, S62),
        change(5, None, None),
    )
    assert since(Feed(page, ()), 8, "S 62") == {B}


def test_a_clock_that_is_ahead_of_ours_hides_nothing():
    feed = Feed(())
    assert since(feed, 8) == frozenset()
    assert feed.asked[0] == int((NOW + timedelta(hours=24)).timestamp() * 1000)


def test_it_does_not_tell_where_it_goes_too_far():
    feed = Feed(*((change(number),) for number in range(1, 100)))
    assert since(feed, 3600) is None
    assert len(feed.asked) == MOST_PAGES


def test_it_does_not_tell_where_it_goes_no_further():
    feed = Feed(*((change(3),) for _ in range(9)))
    assert since(feed, 3600) is None
    assert len(feed.asked) == 2


def test_a_feed_that_does_not_answer_is_asked_once():
    feed = Feed(CatalogueUnreachable("no feed"), pytest.fail)
    creations = Creations(feed, Clock(), IRIS)
    assert creations.since(ago(1), "Ylm") is None
    assert creations.since(ago(1), "Ylm") is None
    assert len(feed.asked) == 1
