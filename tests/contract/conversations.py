"""Short conversations with the catalogue, one for each kind of answer a client must understand.

Each is a generator: what stands before its ``yield`` is set up unrecorded; the yielded facts are
kept beside the cassette; what follows is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.contract.target import Api, minimal_bib

Facts = dict[str, Any]
Conversation = Callable[[Api], Iterator[Facts]]

MARK = {"@type": "ShelfMark", "label": "Hc"}
NO_RECORD = "0000000000000000"


def _login(api: Api) -> None:
    """Ask for a token anew, so that every conversation begins with its own."""
    api.forget_tokens()
    api.token()


def _changed(api: Api, record: str, **item: Any) -> dict[str, Any]:
    graph = api.graph(record)
    graph[1] |= item
    return {"@graph": graph}


def token(api: Api) -> Iterator[Facts]:
    """The login gives a token."""
    yield {}
    _login(api)


def token_refused(api: Api) -> Iterator[Facts]:
    """The login does not know the client: 401 invalid_client."""
    yield {}
    api.ask_token(client_id="x", client_secret="wrong", grant_type="client_credentials")


def verify(api: Api) -> Iterator[Facts]:
    """The login tells what the client may do."""
    yield {"sigel": api.target.sigel, "foreign_sigel": api.target.foreign_sigel}
    _login(api)
    api.http.get(api.target.verify_url, headers={"Authorization": f"Bearer {api.token()}"})


def get(api: Api) -> Iterator[Facts]:
    """A record as it is read before a change, then 304 for the ETag just read."""
    record = api.new_holding(shelfMark=MARK)
    yield {"record": record, "etag": api.read(record).headers["ETag"]}
    etag = api.read(record).headers["ETag"]
    api.read(record, etag=etag)


def get_embellished(api: Api) -> Iterator[Facts]:
    """What is answered when nobody says embellished=false."""
    yield {"record": api.target.bibs[0]}
    api.get(api.target.bibs[0])


def get_missing(api: Api) -> Iterator[Facts]:
    """404."""
    yield {"record": NO_RECORD}
    api.read(NO_RECORD)


def get_gone(api: Api) -> Iterator[Facts]:
    """410, and the versions that can still be read."""
    record = api.new_holding(shelfMark=MARK)
    api.delete(record)
    yield {"record": record}
    api.read(record)
    api.read(record, version=-2)
    api.read(record, version=0)


def get_moved(api: Api) -> Iterator[Facts]:
    """302 from a legacy address of a record, and of its thing."""
    nodes = api.graph(api.target.legacy_bib)
    aliases = [node["sameAs"][0]["@id"] for node in nodes]
    yield {"record": api.target.legacy_bib, "aliases": aliases}
    for alias in aliases:
        api.read(alias)


def put_ok(api: Api) -> Iterator[Facts]:
    """Read, PUT 204, conditional read 304."""
    record = api.new_holding(shelfMark=MARK)
    document = _changed(api, record, shelfMark={**MARK, "label": "Hce"})
    yield {"record": record, "document": document}
    _login(api)
    etag = api.read(record).headers["ETag"]
    answer = api.put(record, document, etag=etag)
    api.read(record, etag=answer.headers["ETag"])


def put_nothing_written(api: Api) -> Iterator[Facts]:
    """PUT 204 for an itemOf that does not resolve: the record reads as before."""
    record = api.new_holding(shelfMark=MARK)
    elsewhere = {"@id": "https://libris-qa.kb.se/0h9wvg5b0ggmf2b#it"}
    document = _changed(api, record, itemOf=elsewhere)
    yield {"record": record, "document": document}
    _login(api)
    etag = api.read(record).headers["ETag"]
    answer = api.put(record, document, etag=etag)
    api.read(record, etag=answer.headers["ETag"])


def put_stale(api: Api) -> Iterator[Facts]:
    """PUT 412."""
    record = api.new_holding(shelfMark=MARK)
    document = _changed(api, record, shelfMark={**MARK, "label": "Hce"})
    yield {"record": record, "document": document, "etag": '"1"'}
    _login(api)
    api.put(record, document, etag='"1"')


def put_moved(api: Api) -> Iterator[Facts]:
    """PUT 302: to a legacy address; nothing written."""
    graph = api.graph(api.target.legacy_bib)
    alias = graph[0]["sameAs"][0]["@id"]
    yield {"record": alias, "document": {"@graph": graph}, "etag": '"1"'}
    _login(api)
    api.put(alias, {"@graph": graph}, etag='"1"')


def put_invalid(api: Api) -> Iterator[Facts]:
    """PUT 400 with errors."""
    record = api.new_holding(shelfMark=MARK)
    document = _changed(api, record, oldTerm="x")
    yield {"record": record, "document": document, "etag": '"1"'}
    _login(api)
    api.put(record, document, etag='"1"')


def put_forbidden(api: Api) -> Iterator[Facts]:
    """PUT 403: another library's holding."""
    record = api.target.foreign_holding
    document = {"@graph": api.graph(record)}
    etag = api.read(record).headers["ETag"]
    yield {"record": record, "document": document, "etag": etag}
    _login(api)
    api.put(record, document, etag=etag)


def put_conflict(api: Api) -> Iterator[Facts]:
    """PUT 409: the library has a holding on that bib already."""
    api.new_holding(api.target.bibs[1])
    record = api.new_holding(shelfMark=MARK)
    document = _changed(api, record, itemOf={"@id": api.target.thing(api.target.bibs[1])})
    etag = api.read(record).headers["ETag"]
    yield {"record": record, "document": document, "etag": etag}
    _login(api)
    api.put(record, document, etag=etag)


def put_server_error(api: Api) -> Iterator[Facts]:
    """PUT 500 with an error_id: the control number was changed."""
    record = api.new_holding(shelfMark=MARK)
    document = _changed(api, record)
    document["@graph"][0]["controlNumber"] = "1"
    etag = api.read(record).headers["ETag"]
    yield {"record": record, "document": document, "etag": etag}
    _login(api)
    api.put(record, document, etag=etag)


def post_created(api: Api) -> Iterator[Facts]:
    """_findhold empty, POST 201, read, _findhold again."""
    bib = api.target.bibs[0]
    document = api.holding_on(bib, shelfMark=MARK)
    yield {"bib": bib, "document": document}
    _login(api)
    api.find_holdings(bib)
    record = api.short_id(api.post(document))
    api.read(record)
    api.find_holdings(bib)


def post_duplicate(api: Api) -> Iterator[Facts]:
    """POST 404: the library has a holding on that bib already."""
    bib = api.target.bibs[0]
    record = api.new_holding(bib)
    document = api.holding_on(bib)
    yield {"bib": bib, "document": document, "existing": record}
    _login(api)
    api.post(document)
    api.find_holdings(bib)


def post_forbidden(api: Api) -> Iterator[Facts]:
    """POST 403: a bib by a client that may only write holdings."""
    yield {"document": minimal_bib()}
    _login(api)
    api.post(minimal_bib())


def post_invalid(api: Api) -> Iterator[Facts]:
    """POST 400 without a sigel."""
    document = api.holding_on(api.target.bibs[0])
    del document["@graph"][1]["heldBy"]
    yield {"document": document}
    _login(api)
    api.post(document)


def delete_ok(api: Api) -> Iterator[Facts]:
    """DELETE 204, read 410, DELETE 410."""
    record = api.new_holding(shelfMark=MARK)
    yield {"record": record}
    _login(api)
    api.delete(record)
    api.read(record)
    api.delete(record)


def delete_forbidden(api: Api) -> Iterator[Facts]:
    """DELETE 403: another library's holding."""
    yield {"record": api.target.foreign_holding}
    _login(api)
    api.delete(api.target.foreign_holding)


def delete_missing(api: Api) -> Iterator[Facts]:
    """DELETE 404."""
    yield {"record": NO_RECORD}
    _login(api)
    api.delete(NO_RECORD)


def findhold(api: Api) -> Iterator[Facts]:
    """_findhold by library IRI and by sigel: one holding, then none."""
    bib, empty = api.target.bibs[0], api.target.bibs[1]
    record = api.new_holding(bib)
    yield {"record": record, "bib": bib, "empty_bib": empty, "sigel": api.target.sigel}
    for wanted in (bib, empty):
        for library in (api.target.library(), api.target.sigel):
            api.get("_findhold", id=api.target.thing(wanted), library=library)


def findhold_refused(api: Api) -> Iterator[Facts]:
    """_findhold 400 for an unknown bib: a page of the container."""
    yield {"bib": NO_RECORD, "sigel": api.target.sigel}
    for library in (api.target.library(), api.target.sigel):
        api.get("_findhold", id=api.target.thing(NO_RECORD), library=library)


def dependencies(api: Api) -> Iterator[Facts]:
    """_dependencies: a bib's holdings as ids and as records."""
    bib = api.target.bibs[0]
    record = api.new_holding(bib, shelfMark=MARK)
    yield {"record": record, "bib": bib}
    links = {"id": api.target.thing(bib), "relation": "itemOf", "reverse": "true"}
    api.get("_dependencies", **links)
    api.get("_dependencies", **links, **{"return": "bare_record"})


def unauthorized(api: Api) -> Iterator[Facts]:
    """401 with HTML, with JSON, and without a body for PUT and DELETE."""
    record = api.new_holding(shelfMark=MARK)
    document = _changed(api, record)
    yield {"record": record, "document": document, "etag": '"1"'}
    _login(api)
    for accept in ("*/*", "application/json"):
        api.post(document, authorization="Bearer nonsense", accept=accept)
    api.put(record, document, etag='"1"', authorization="Bearer nonsense")
    api.delete(record, authorization="Bearer nonsense")


CONVERSATIONS: tuple[Conversation, ...] = (
    token,
    token_refused,
    verify,
    get,
    get_embellished,
    get_missing,
    get_gone,
    get_moved,
    put_ok,
    put_nothing_written,
    put_stale,
    put_moved,
    put_invalid,
    put_forbidden,
    put_conflict,
    put_server_error,
    post_created,
    post_duplicate,
    post_forbidden,
    post_invalid,
    delete_ok,
    delete_forbidden,
    delete_missing,
    findhold,
    findhold_refused,
    dependencies,
    unauthorized,
)
