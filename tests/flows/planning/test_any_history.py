"""Any history of a record: what it was at a moment, or before a library's first edit, told forwards."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.expressions import parse_span
from bulkrunner.domain.records import record_part
from bulkrunner.domain.refusals import Refusal
from bulkrunner.services.planning.draft import Target
from bulkrunner.services.planning.reverts import Moment, States
from tests.support.catalogue import LIBRARY, MemoryCatalogue, a_holding, short_id
from tests.support.sizes import examples

RECORD = short_id(1)
START = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = st.integers(0, 8)
SIGELS = ("Ylm", "S")


def day(number):
    return (START + timedelta(days=number)).isoformat()


def moment(number):
    text = day(number)
    return Moment(text=text, span=parse_span(text))


@st.composite
def histories(draw):
    """Versions, the oldest first, as (day, library); None is a deletion; the newest is none."""
    days = sorted(draw(st.lists(DAYS, min_size=1, max_size=7)))
    versions = [(number, draw(st.sampled_from(SIGELS))) for number in days]
    for place in draw(st.sets(st.integers(1, 5), max_size=2)):
        if place < len(versions) - 1:
            versions[place] = None
    return versions


def states(versions):
    documents = []
    for number, version in enumerate(versions):
        document = version and a_holding(RECORD, short_id(2, "b"), copyNumber=str(number))
        if version:
            record_part(document)["modified"] = day(version[0])
            link = {"@id": LIBRARY + version[1]}
            record_part(document)["descriptionLastModifier"] = link
        documents.append(document)
    *earlier, newest = documents
    catalogue = MemoryCatalogue(records={RECORD: newest}, earlier={RECORD: earlier})
    return States(catalogue, None, None), Target(record=RECORD, before=newest, now=newest)


def told(answer):
    return answer.code if isinstance(answer, Refusal) else int(answer["@graph"][1]["copyNumber"])


def last_before(versions, limit):
    places = [at for at, one in enumerate(versions) if one is not None and one[0] < limit]
    return places[-1] if places else -1


@settings(max_examples=examples(150), deadline=None)
@given(histories(), DAYS)
def test_at_a_moment(versions, limit):
    place = last_before(versions, limit)
    known_gone = None in versions[place + 1 :]
    wanted = "version_deleted" if known_gone else "no_version" if place < 0 else place
    looked_up, known = states(versions)
    assert told(looked_up.at(known, moment(limit))) == wanted


@settings(max_examples=examples(150), deadline=None)
@given(histories(), st.none() | DAYS)
def test_before_the_first_edit_by_a_library(versions, since):
    start = 0 if since is None else last_before(versions, since) + 1
    edits = [at for at, one in enumerate(versions) if at >= start and one and one[1] == "S"]
    if None in versions[start:]:
        wanted = "version_deleted"
    elif not edits:
        wanted = "not_changed"
    else:
        wanted = edits[0] - 1 if edits[0] else "no_version"
    looked_up, known = states(versions)
    found = looked_up.before_edit_by(known, "S", None if since is None else moment(since))
    assert told(found) == wanted
