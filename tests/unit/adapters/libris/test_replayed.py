"""The client against recorded conversations, replayed without a network."""

import json
from contextlib import contextmanager

import pytest
import vcr
from vcr.record_mode import RecordMode

from bulkrunner.adapters.libris.client import Catalogue
from bulkrunner.adapters.libris.credentials import Credentials
from bulkrunner.domain.catalogue import AnswerKind, Found, Gone, Missing, Moved, NotModified
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.errors import CatalogueUnreachable, LoginRefused
from tests.support.client import StillClock
from tests.support.paths import CASSETTES

HERE = CASSETTES / "conversations"
BASE = "https://libris.sandbox.test"
FACTS = json.loads((HERE / "index.json").read_text(encoding="utf-8"))
ENVIRONMENT = Environment(
    name="staging",
    kind=Kind.TEST,
    base_url=BASE,
    token_url="https://login.sandbox.test/oauth/token",
    base_uri=BASE + "/",
    rate=1e6,
    read_rate=1e6,
    concurrency=2,
)


@contextmanager
def replayed(name):
    """A client that can hear nothing but the recorded answers; all of them must be used."""
    with vcr.use_cassette(
        str(HERE / f"{name}.yaml"),
        record_mode=RecordMode.NONE,
        match_on=["method", "path", "query"],
    ) as cassette:
        credentials = Credentials(client_id="any", client_secret="any")
        with Catalogue.open(ENVIRONMENT, credentials, clock=StillClock()) as catalogue:
            yield catalogue, FACTS[name]
        assert catalogue.requests == cassette.play_count


def test_token_and_rights():
    with replayed("token") as (catalogue, _):
        catalogue.ensure_token()
    with (
        replayed("token_refused") as (catalogue, _),
        pytest.raises(LoginRefused, match="invalid_client"),
    ):
        catalogue.ensure_token()
    with replayed("verify") as (catalogue, facts):
        rights = catalogue.rights()
        assert rights.may_write_holding(facts["sigel"], active=facts["sigel"])
        assert not rights.may_act_as(facts["foreign_sigel"])


def test_reading():
    with replayed("get") as (catalogue, facts):
        found = catalogue.read(facts["record"])
        assert isinstance(found, Found)
        assert f'"{found.etag}"' == facts["etag"]
        assert "@context" not in found.document
        again = catalogue.read(facts["record"], if_none_match=found.etag)
        assert isinstance(again, NotModified)
    with replayed("get_missing") as (catalogue, facts):
        assert isinstance(catalogue.read(facts["record"]), Missing)
    with replayed("get_gone") as (catalogue, facts):
        assert isinstance(catalogue.read(facts["record"]), Gone)
        for version in (-2, 0):
            assert isinstance(catalogue.read_version(facts["record"], version), Found)


def test_an_embellished_answer_is_refused():
    # an answer as it comes where nobody says embellished=false, played for a read that says it
    with vcr.use_cassette(
        str(HERE / "get_embellished.yaml"),
        record_mode=RecordMode.NONE,
        match_on=["method", "path"],
        allow_playback_repeats=True,
    ):
        credentials = Credentials(client_id="any", client_secret="any")
        with (
            Catalogue.open(ENVIRONMENT, credentials, clock=StillClock()) as catalogue,
            pytest.raises(CatalogueUnreachable, match="embellished"),
        ):
            catalogue.read(FACTS["get_embellished"]["record"])


def test_legacy_names_lead_to_the_record():
    with replayed("get_moved") as (catalogue, facts):
        record_alias, thing_alias = facts["aliases"]
        iri = BASE + "/" + facts["record"]
        assert catalogue.read(record_alias) == Moved(
            environment="staging", record=record_alias, target=iri
        )
        assert catalogue.read(thing_alias) == Moved(
            environment="staging", record=thing_alias, target=iri + "#it"
        )


def test_holdings_of_a_bib():
    with replayed("findhold") as (catalogue, facts):

        def held(bib):
            return catalogue.holdings_of(f"{BASE}/{bib}#it", facts["sigel"])

        assert held(facts["bib"]) == (facts["record"],)
        assert held(facts["empty_bib"]) == ()
    with replayed("findhold_refused") as (catalogue, facts):
        assert catalogue.holdings_of(f"{BASE}/{facts['bib']}#it", facts["sigel"]) == ()


def test_update():
    with replayed("put_ok") as (catalogue, facts):
        record = facts["record"]
        before = catalogue.read(record)
        answer = catalogue.put(record, facts["document"], etag=before.etag, active_sigel="Ylm")
        assert (answer.kind, answer.location) == (AnswerKind.DONE, record)
        assert answer.etag != before.etag
        assert isinstance(catalogue.read(record, if_none_match=answer.etag), NotModified)
    with replayed("put_nothing_written") as (catalogue, facts):
        record = facts["record"]
        before = catalogue.read(record)
        answer = catalogue.put(record, facts["document"], etag=before.etag, active_sigel="Ylm")
        assert answer.kind is AnswerKind.DONE
        after = catalogue.read(record, if_none_match=answer.etag)
        assert (after.etag, after.document) == (before.etag, before.document)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("put_stale", AnswerKind.STALE, "updated by someone else"),
        ("put_invalid", AnswerKind.INVALID, "Invalid JSON-LD"),
        ("put_forbidden", AnswerKind.FORBIDDEN, ""),
        ("put_conflict", AnswerKind.CONFLICT, ""),
        ("put_server_error", AnswerKind.SERVER_ERROR, ""),
        ("post_duplicate", AnswerKind.NOT_FOUND, "not found"),
        ("post_forbidden", AnswerKind.FORBIDDEN, ""),
        ("post_invalid", AnswerKind.INVALID, "Missing sigel"),
        ("delete_forbidden", AnswerKind.FORBIDDEN, ""),
        ("delete_missing", AnswerKind.NOT_FOUND, "not found"),
    ],
)
def test_writes_that_are_refused(name, kind, words):
    with replayed(name) as (catalogue, facts):
        document, record = facts.get("document"), facts.get("record")
        if name.startswith("put"):
            etag = facts["etag"].strip('"')
            answer = catalogue.put(record, document, etag=etag, active_sigel="Ylm")
        elif name.startswith("post"):
            answer = catalogue.post(document, active_sigel="Ylm")
        else:
            answer = catalogue.delete(record, active_sigel="Ylm")
    assert (answer.kind, answer.location) == (kind, None)
    assert words in answer.words
    assert answer.words
    assert bool(answer.errors) == (name == "put_invalid")
    assert bool(answer.error_id) == (name == "put_server_error")


def test_create_and_delete():
    with replayed("post_created") as (catalogue, facts):
        bib = f"{BASE}/{facts['bib']}#it"
        assert catalogue.holdings_of(bib, "Ylm") == ()
        answer = catalogue.post(facts["document"], active_sigel="Ylm")
        assert answer.kind is AnswerKind.DONE
        created = catalogue.read(answer.location)
        assert (created.record, created.etag) == (answer.location, answer.etag)
        assert catalogue.holdings_of(bib, "Ylm") == (answer.location,)
    with replayed("delete_ok") as (catalogue, facts):
        record = facts["record"]
        assert catalogue.delete(record, active_sigel="Ylm").kind is AnswerKind.DONE
        assert isinstance(catalogue.read(record), Gone)
        assert catalogue.delete(record, active_sigel="Ylm").kind is AnswerKind.GONE


def test_no_authorisation():
    with replayed("unauthorized") as (catalogue, facts):
        etag = facts["etag"].strip('"')
        answers = [
            catalogue.post(facts["document"], active_sigel="Ylm"),
            catalogue.post(facts["document"], active_sigel="Ylm"),
            catalogue.put(facts["record"], facts["document"], etag=etag, active_sigel="Ylm"),
            catalogue.delete(facts["record"], active_sigel="Ylm"),
        ]
    assert {answer.kind for answer in answers} == {AnswerKind.UNAUTHORIZED}
    page, json_page, put, delete = (answer.words for answer in answers)
    assert page
    assert json_page
    assert "<" not in page
    assert (put, delete) == ("", "")
