"""The feed of changes, page by page."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from bulkrunner.adapters.bodies import Misshapen, Unreadable
from bulkrunner.adapters.feed import MOST_PAGES, Page, created_since, read_page
from bulkrunner.adapters.http import Reply
from bulkrunner.adapters.retry import TryAgain
from bulkrunner.domain.iris import IriMap

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BASE = "https://libris-stg.kb.se/"
IRIS = IriMap(bases=(BASE,), target=BASE)
YLM, S62 = "https://libris.kb.se/library/Ylm", "https://libris.kb.se/library/S+62"
A, B = "fzr8v1sn2k3m4p5", "fzr8v1sn2k3m4p6"


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def of(*created, oldest):
    return Page(
        created=tuple((ago(seconds), record, holder) for seconds, record, holder in created),
        oldest=None if oldest is None else ago(oldest),
    )


def feed(*pages):
    asked, left = [], iter(pages)

    def ask(until):
        asked.append(until)
        return next(left)

    return ask, asked


def test_read_until_the_moment_is_passed():
    ask, asked = feed(
        of((1, A, YLM), oldest=5), of((5, A, YLM), (6, B, YLM), (9, "x", YLM), oldest=9)
    )
    assert created_since(ask, "Ylm", ago(8), now=NOW) == (A, B)
    # From the oldest moment seen on, itself included: a page may have ended within it.
    assert asked[1] == int(ago(5).timestamp() * 1000) + 1


def test_only_of_the_library():
    ask, _ = feed(of((1, A, YLM), (2, B, S62), oldest=None))
    assert created_since(ask, "S 62", ago(8), now=NOW) == (B,)


def test_a_clock_that_is_ahead_of_ours_hides_nothing():
    ask, asked = feed(of(oldest=None))
    assert created_since(ask, "Ylm", ago(8), now=NOW) == ()
    assert asked[0] >= int((NOW + timedelta(hours=24)).timestamp() * 1000)


def test_it_does_not_tell_where_it_goes_too_far():
    ask, asked = feed(*(of(oldest=number) for number in range(1, 100)))
    assert created_since(ask, "Ylm", ago(3600), now=NOW) is None
    assert len(asked) == MOST_PAGES


def test_it_does_not_tell_where_it_goes_no_further():
    ask, asked = feed(of(oldest=3), of(oldest=3), of(oldest=3))
    assert created_since(ask, "Ylm", ago(3600), now=NOW) is None
    assert len(asked) == 2


def test_it_does_not_tell_where_there_is_none():
    assert created_since(lambda _: None, "Ylm", ago(1), now=NOW) is None


def reply(data, status=200, media_type="application/activity+json; charset=utf-8"):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Reply(status=status, headers={"content-type": media_type}, body=body)


def change(kind="Create", published="2026-03-02T10:00:00+01:00", **subject):
    thing = {"id": f"{BASE}{A}#it", "type": "kbv:Item", "kbv:heldBy": {"@id": YLM}}
    return {"type": kind, "published": published, "object": {**thing, **subject}}


def test_a_page():
    page = read_page(
        reply({"orderedItems": [change(), change("Delete"), change(id="https://id.kb.se/x")]}),
        IRIS,
    )
    assert page == Page(created=((NOW, A, YLM),), oldest=NOW)
    assert read_page(reply({"orderedItems": []}), IRIS) == Page(created=(), oldest=None)
    assert read_page(reply({}, status=404), IRIS) is None


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"orderedItems": {}},
        {"orderedItems": ["x"]},
        {"orderedItems": [change(published="yesterday")]},
        {"orderedItems": [change(published="2026-03-02T10:00:00")]},
        {"orderedItems": [change(published=7)]},
    ],
)
def test_what_is_no_page(wrong):
    with pytest.raises(Misshapen):
        read_page(reply(wrong), IRIS)


@pytest.mark.parametrize(
    "odd", [{"object": None}, {"object": {"id": 7, "kbv:heldBy": 7}}, {"object": []}]
)
def test_a_change_of_another_shape_is_passed_over(odd):
    assert read_page(reply({"orderedItems": [{**change(), **odd}]}), IRIS).created == ()


def test_what_is_asked_again():
    with pytest.raises(TryAgain):
        read_page(reply({}, status=502), IRIS)
    with pytest.raises(Unreadable):
        read_page(reply(b"<html>", media_type="text/html"), IRIS)
