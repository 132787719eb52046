"""The client against the sandbox, over real HTTP."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bulkrunner.adapters.libris.client import Catalogue, ReadOnlyCatalogue
from bulkrunner.adapters.libris.credentials import Credentials
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.catalogue import AnswerKind, Found, Gone, Missing, Moved, NotModified
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.errors import LoginDown, LoginRefused
from tests.support.sandbox import running_sandbox

LIBRARY = "https://libris.kb.se/library/"


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox):
    """The test environment, as it was seeded but for what earlier tests wrote."""
    sandbox.staging.clear_faults()
    sandbox.staging.clear_log()
    return sandbox.staging


class QuickClock(SystemClock):
    """Does not wait: sleep only puts it forward."""

    def __init__(self):
        super().__init__()
        self._slept = 0.0

    def monotonic(self):
        return super().monotonic() + self._slept

    def sleep(self, seconds):
        self._slept += seconds


def open_catalogue(here, cls=Catalogue, client="supplier", secret=None):
    client_id, its_secret = here.credentials(client)
    environment = Environment(
        name=here.name,
        kind=Kind.TEST,
        base_url=here.base_url,
        token_url=here.token_url,
        base_uri=here.base_uri,
        rate=1e5,
        read_rate=1e5,
        concurrency=8,
    )
    credentials = Credentials(client_id=client_id, client_secret=secret or its_secret)
    return cls.open(environment, credentials, clock=QuickClock())


@pytest.fixture
def catalogue(here):
    with open_catalogue(here) as opened:
        yield opened


def a_holding(here, number=0):
    return here.records("hold", "Ylm")[number]


def bib_without(here, catalogue, sigel="Ylm"):
    """A bib on which the library holds nothing."""
    for short_id in here.records("bib"):
        iri = catalogue.read(short_id).document["@graph"][1]["@id"]
        if not catalogue.holdings_of(iri, sigel):
            return iri
    raise AssertionError("the seed has none")


def new_holding(bib_iri, sigel="Ylm"):
    temp = "https://id.kb.se/TEMPID"
    return {
        "@graph": [
            {"@id": temp, "@type": "Record", "mainEntity": {"@id": temp + "#it"}},
            {
                "@id": temp + "#it",
                "@type": "Item",
                "heldBy": {"@id": LIBRARY + sigel},
                "itemOf": {"@id": bib_iri},
            },
        ]
    }


def test_a_holding_is_read_changed_confirmed_and_its_history_read(here, catalogue):
    short_id = a_holding(here)
    before = catalogue.read(short_id)
    assert isinstance(before, Found)
    assert before.document == here.document(short_id)
    assert catalogue.read(short_id, if_none_match=before.etag) == NotModified(
        environment="staging", record=short_id, etag=before.etag
    )
    graph = before.document["@graph"]
    after = {"@graph": [graph[0], {**graph[1], "inventoryLevel": 1}]}
    answer = catalogue.put(short_id, after, etag=before.etag, active_sigel="Ylm")
    assert (answer.kind, answer.status) == (AnswerKind.DONE, 204)
    assert answer.etag != before.etag
    assert answer.server_date is not None
    now = catalogue.read(short_id)
    assert now.document["@graph"][1]["inventoryLevel"] == 1
    assert now.etag == answer.etag
    older = catalogue.read_version(short_id, -2)
    assert older.document["@graph"][1] == before.document["@graph"][1]
    assert isinstance(catalogue.read_version(short_id, 99), Missing)
    stale = catalogue.put(short_id, after, etag=before.etag, active_sigel="Ylm")
    assert stale.kind is AnswerKind.STALE
    assert "updated by someone else" in stale.words


def test_a_holding_is_created_found_and_deleted(here, catalogue):
    bib = bib_without(here, catalogue)
    created = catalogue.post(new_holding(bib), active_sigel="Ylm")
    assert (created.kind, created.status) == (AnswerKind.DONE, 201)
    assert catalogue.holdings_of(bib, "Ylm") == (created.location,)
    assert created.location in catalogue.links_to(bib)
    again = catalogue.post(new_holding(bib), active_sigel="Ylm")
    assert again.kind is AnswerKind.NOT_FOUND
    deleted = catalogue.delete(created.location, active_sigel="Ylm")
    assert (deleted.kind, deleted.status) == (AnswerKind.DONE, 204)
    assert isinstance(catalogue.read(created.location), Gone)
    assert isinstance(catalogue.read_version(created.location, -2), Found)
    assert catalogue.delete(created.location, active_sigel="Ylm").kind is AnswerKind.GONE
    assert catalogue.holdings_of(bib, "Ylm") == ()


def test_a_legacy_iri_is_resolved_by_the_server(here, catalogue):
    for short_id in here.records("bib"):
        document = catalogue.read(short_id).document
        record, thing = document["@graph"][:2]
        names = [link["@id"] for node in (record, thing) for link in node.get("sameAs", [])]
        names = [name for name in names if name.startswith("http://libris.kb.se/")]
        if len(names) == 2:
            break
    assert len(names) == 2, "the seed has a bib with both legacy names"
    assert {catalogue.read(name) for name in names} == {
        Moved(environment="staging", record=names[0], target=record["@id"]),
        Moved(environment="staging", record=names[1], target=thing["@id"]),
    }
    assert isinstance(catalogue.read("http://libris.kb.se/bib/999999999"), Missing)


def test_bibs_are_found_by_their_names_and_identifiers(here, catalogue):
    found = {}
    for short_id in here.records("bib"):
        record, thing = catalogue.read(short_id).document["@graph"][:2]
        names = [link["@id"] for node in (record, thing) for link in node.get("sameAs", [])]
        values = [node.get("value") for node in thing.get("identifiedBy", [])]
        if names and values:
            found = {"id": short_id, "name": names[0], "value": values[0]}
            break
    assert found, "the seed has a bib with a name and an identifier"
    assert catalogue.bibs_named([found["name"]], []) == (found["id"],)
    assert found["id"] in catalogue.bibs_named([], [found["value"]])
    assert catalogue.bibs_named([found["name"]], [found["value"]]).count(found["id"]) == 1
    assert catalogue.bibs_named(["http://libris.kb.se/bib/999999999"], ["99999999999"]) == ()
    assert catalogue.bibs_named([], []) == ()


def test_an_identifier_is_no_query(here, catalogue):
    for value in ('x" | "', "a* | b", "-nothing", "\\", '"', "(a", "å&b=c#d"):
        assert catalogue.bibs_named([], [f"{value}999999999999"]) == ()


def test_a_broken_look_up_of_holdings_is_gone_around(here, catalogue):
    short_id = a_holding(here, 1)
    bib = catalogue.read(short_id).document["@graph"][1]["itemOf"]["@id"]
    expected = catalogue.holdings_of(bib, "Ylm")
    assert expected
    here.fault("status", path="^/_findhold", status=500)
    assert catalogue.holdings_of(bib, "Ylm") == expected
    assert catalogue.holdings_of(bib, "Nobody") == ()


def test_links_are_direct_ones_only(here, catalogue):
    short_id = a_holding(here, 2)
    bib = catalogue.read(short_id).document["@graph"][1]["itemOf"]["@id"]
    links = catalogue.links_to(bib)
    assert short_id in links
    for other in links:
        assert bib in str(here.document(other))
    assert catalogue.links_to(here.thing_iri("zzzzzzzzzzzzzzz")) == ()


@pytest.mark.parametrize(("sigel", "there"), [("Ylm", True), ("S 62", True), ("Nowhere", False)])
def test_libraries_are_asked_for_once(here, catalogue, sigel, there):
    assert catalogue.library_exists(sigel) is there
    before = catalogue.requests
    assert catalogue.library_exists(sigel) is there
    assert catalogue.requests == before


@pytest.mark.parametrize(("sigel", "name"), [("Ylm", "Yttermalungs bibliotek"), ("Nowhere", None)])
def test_a_librarys_name_is_the_one_in_its_record(here, catalogue, sigel, name):
    assert catalogue.library_name(sigel) == name
    before = catalogue.requests
    assert catalogue.library_name(sigel) == name
    assert catalogue.requests == before


def test_rights_are_the_clients(here):
    with open_catalogue(here, ReadOnlyCatalogue, "cataloguer") as reader:
        rights = reader.rights()
    assert rights.may_write_bibs()
    with open_catalogue(here, ReadOnlyCatalogue) as reader:
        rights = reader.rights()
    assert rights.may_write_holding("Ylm", active="Ylm")
    assert not rights.may_write_bibs()


def test_every_request_is_counted(here):
    with open_catalogue(here) as catalogue:
        catalogue.read(a_holding(here))
        catalogue.rights()
        catalogue.delete("zzzzzzzzzzzzzzz", active_sigel="Ylm")
        logged = [entry for entry in here.log() if "/_sandbox/" not in entry["path"]]
        assert catalogue.requests == len(logged) == 4


@pytest.mark.parametrize("kind", ["close_before", "close_after", "truncate"])
def test_reads_survive_cut_answers(here, catalogue, kind):
    here.fault(kind, method="GET", nth=[1, 2])
    assert isinstance(catalogue.read(a_holding(here)), Found)
    assert [rule["fired"] for rule in here.faults()] == [2]


@pytest.mark.parametrize(
    ("kind", "written"), [("close_before", 0), ("close_after", 1), ("truncate", 1)]
)
def test_a_write_with_a_cut_answer_is_lost_and_sent_once(here, catalogue, kind, written):
    short_id = a_holding(here, 3)
    before = catalogue.read(short_id)
    versions = len(here.history(short_id))
    here.fault(kind, method="PUT")
    answer = catalogue.put(short_id, before.document, etag=before.etag, active_sigel="Ylm")
    if kind != "truncate":  # an empty body cannot be cut
        assert (answer.kind, answer.sent) == (AnswerKind.LOST, True)
    assert len(here.writes()) == 1
    assert len(here.history(short_id)) == versions + written


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_write_with_a_server_error_is_sent_once(here, catalogue, status):
    here.fault("status", method="DELETE", status=status)
    answer = catalogue.delete(a_holding(here), active_sigel="Ylm")
    assert answer.status == status
    assert len(here.writes()) == 1


def test_an_ended_token_is_renewed_once_for_many_threads(here):
    with open_catalogue(here) as catalogue:
        catalogue.ensure_token()
        here.expire_tokens()

        def write(_):
            first = catalogue.delete("zzzzzzzzzzzzzzz", active_sigel="Ylm")
            if first.kind is AnswerKind.UNAUTHORIZED:
                catalogue.renew_token()
            return catalogue.delete("zzzzzzzzzzzzzzz", active_sigel="Ylm").kind

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(write, range(8))) == {AnswerKind.NOT_FOUND}
        tokens = [entry for entry in here.log() if entry["path"] == "/oauth/token"]
    assert len(tokens) == 2


def test_a_wrong_secret_is_refused_before_anything_is_written(here):
    with (
        open_catalogue(here, secret="wrong-secret") as catalogue,
        pytest.raises(LoginRefused, match="invalid_client") as caught,
    ):
        catalogue.delete("zzzzzzzzzzzzzzz", active_sigel="Ylm")
    assert "wrong-secret" not in str(caught.value) + caught.value.hint
    assert here.writes() == []


def test_a_login_that_is_down_is_told(here):
    here.fault("login_down", status=503)
    with open_catalogue(here) as catalogue, pytest.raises(LoginDown, match="cannot be reached"):
        catalogue.rights()


def test_a_revoked_client_is_refused(sandbox, here):
    with open_catalogue(here, client="other") as catalogue:
        catalogue.ensure_token()
        here.revoke("other")
        answer = catalogue.delete("zzzzzzzzzzzzzzz", active_sigel="Ylm")
        assert (answer.kind, answer.words) == (AnswerKind.UNAUTHORIZED, "")
        answer = catalogue.post(new_holding("https://x"), active_sigel="Ylm")
        assert (answer.kind, answer.words) == (AnswerKind.UNAUTHORIZED, "Bad access token.")
        with pytest.raises(LoginRefused):
            catalogue.renew_token()


def test_no_log_record_holds_secret_or_token(here, caplog):
    caplog.set_level(0)
    with open_catalogue(here) as catalogue:
        catalogue.delete("zzzzzzzzzzzzzzz", active_sigel="Ylm")
        token = catalogue._login.token().value
    written = " ".join(record.getMessage() + repr(record.args) for record in caplog.records)
    assert token not in written
    assert here.credentials()[1] not in written
