"""Answers of the catalogue in its own form: headers, bodies, words, records, and results of writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

from bulkrunner.adapters.libris.bodies import (
    JSON_TYPES,
    Misshapen,
    plain,
    read_document,
    read_json,
    words_of,
)
from bulkrunner.adapters.libris.http import Header, Reply, Strange, TryAgain
from bulkrunner.domain.catalogue import (
    AnswerKind,
    Found,
    Gone,
    Missing,
    Moved,
    NotModified,
    ReadAnswer,
    WriteAnswer,
)
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import SHORT_ID, IriMap
from bulkrunner.domain.records import LIBRARY_PREFIX, Document, record_part, thing_part
from bulkrunner.sentences import Sentence

# Entries kept of a failed validation.
MOST_ERRORS = 20

# Those of them that stand in the message.
SHOWN_ERRORS = 3

# The one status by which the catalogue says that a write is stored.
_DONE = {"POST": 201, "PUT": 204, "DELETE": 204}

_BUSY = frozenset({429, 503})

# Refusals of the catalogue's API; they count in its own form alone.
_REFUSALS = {
    400: AnswerKind.INVALID,
    403: AnswerKind.FORBIDDEN,
    404: AnswerKind.NOT_FOUND,
    409: AnswerKind.CONFLICT,
    410: AnswerKind.GONE,
    412: AnswerKind.STALE,
}

_CONTAINERS_CACHING = frozenset({"must-revalidate", "no-cache", "no-store"})

_CONTAINERS_KEYS = frozenset({"url", "status", "message", "servlet"})


def normal_etag(value: str) -> str:
    """Return the plain ETag: without ``W/``, quotes, ``-gzip`` and the embellished part."""
    plain_part = value.strip().removeprefix("W/").strip('"').partition(":")[0]
    return plain_part.removesuffix("-gzip").strip('"')


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Return the seconds of ``Retry-After``, written as seconds or as a date."""
    value = reply.header("retry-after").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    moment = _http_date(value)
    if moment is None:
        return None
    return max(0.0, (moment - (_http_date(reply.header("date")) or now)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def sigel_header(sigel: str) -> Header:
    """Return the header that says as whom a write is made.

    Raises:
        ValueError: the sigel is empty, or holds what no header may hold.
    """
    if not sigel or not sigel.isprintable() or sigel != sigel.strip():
        raise ValueError(f"{plain(sigel)!r} cannot be an active sigel")
    return (b"XL-Active-Sigel", sigel.encode("utf-8"))


def is_api_error(reply: Reply) -> bool:
    """Return True if the catalogue's API says no: JSON with the status in ``status_code``.

    A status alone says nothing: whatever stands between may answer 404 in the catalogue's place.
    """
    code = _error_object(reply).get("status_code")
    return type(code) is int and code == reply.status


def is_container_error(reply: Reply) -> bool:
    """Return True if the catalogue's servlet container says no, as it does outside the API."""
    said = _error_object(reply)
    if said.keys() >= _CONTAINERS_KEYS:
        return bool(said["status"] == str(reply.status))
    caching = {part.strip().lower() for part in reply.header("cache-control").split(",")}
    if caching != _CONTAINERS_CACHING:
        return False
    return not reply.body or f"<h2>HTTP ERROR {reply.status} ".encode() in reply.body


def write_answer(
    method: str,
    reply: Reply,
    *,
    environment: str,
    record: str,
    iris: IriMap,
    now: datetime,
) -> WriteAnswer:
    """Return the typed result of a write, by method, status and form."""
    location = _last_step(reply.header("location"))
    kind = _kind(method, reply, location, iris)
    said = _error_object(reply) if kind is not AnswerKind.DONE else {}
    error_id = said.get("error_id")
    errors = _errors(said)
    return WriteAnswer(
        kind=kind,
        environment=environment,
        record=record,
        status=reply.status,
        words=plain(words_of(reply) + _summary(errors)),
        etag=normal_etag(reply.header("etag")) or None,
        location=location,
        error_id=plain(error_id)[:100] if isinstance(error_id, str) else "",
        retry_after=retry_after(reply, now),
        server_date=_http_date(reply.header("date")) if reply.header("date") else None,
        errors=errors,
    )


def _last_step(location: str) -> str | None:
    """Return the short id in which a Location ends.

    Its host may be that of something in between; whose record it is, is told by reading it.
    """
    path = location.partition("?")[0].partition("#")[0]
    last = path.rpartition("/")[2]
    return last if SHORT_ID.fullmatch(last) else None


def _kind(method: str, reply: Reply, location: str | None, iris: IriMap) -> AnswerKind:
    status = reply.status
    if status == _DONE[method]:
        named = method != "POST" or location is not None
        return AnswerKind.DONE if named else AnswerKind.UNREADABLE
    if status in _BUSY:
        return AnswerKind.BUSY
    if status >= 500:
        own = is_api_error(reply) or is_container_error(reply) or (status == 500 and not reply.body)
        return AnswerKind.SERVER_ERROR if own else AnswerKind.UNREADABLE
    if 300 <= status < 400 and iris.short_id(reply.header("location").partition("?")[0]):
        return AnswerKind.REDIRECT
    if status == 401 and _is_of_the_filter(method, reply):
        return AnswerKind.UNAUTHORIZED
    if is_api_error(reply):
        return _REFUSALS.get(status, AnswerKind.UNREADABLE)
    return AnswerKind.UNREADABLE


def _is_of_the_filter(method: str, reply: Reply) -> bool:
    """Return True if a 401 has the form of the catalogue's own; of PUT and DELETE it is bare."""
    return is_container_error(reply) or (method != "POST" and not reply.body)


def _error_object(reply: Reply) -> dict[str, Any]:
    if reply.media_type not in JSON_TYPES:
        return {}
    try:
        data = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _errors(said: dict[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of a failed validation, each value as bounded text."""
    entries = said.get("errors")
    if not isinstance(entries, list):
        return ()
    return tuple(
        {plain(str(key)): _bounded(value) for key, value in list(entry.items())[:10]}
        for entry in entries[:MOST_ERRORS]
        if isinstance(entry, dict)
    )


def _summary(errors: tuple[Mapping[str, Any], ...]) -> str:
    """Say what a validation found, the first few faults with their places."""
    if not errors:
        return ""
    shown = [f"{error.get('type', 'fault')} at {_place(error)}" for error in errors[:SHOWN_ERRORS]]
    more = f" and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
    return f": {', '.join(shown)}{more}"


def _place(error: Mapping[str, Any]) -> str:
    path = error.get("path")
    steps = [str(step) for step in path] if isinstance(path, list) else []
    key = error.get("key")
    if isinstance(key, str) and steps[-1:] != [key]:
        steps.append(key)
    return ".".join(steps) or "an unknown place"


def _bounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_bounded(item) for item in value[:20]]
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


# Characters kept of a library's name.
MAX_NAME = 200

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def status_and_words(reply: Reply) -> str:
    """Return an answer in one line."""
    return f"{reply.status} {words_of(reply)}".rstrip()


def no_answer(reply: Reply) -> TryAgain:
    """Return that an answer is none, with who it was that gave it as far as its form tells."""
    if reply.status >= 500 or reply.status == 429:
        return TryAgain(status_and_words(reply), by_server=is_api_error(reply))
    if reply.status in _REDIRECTS:
        return strange(leads_to(reply))
    return strange(status_and_words(reply))


def leads_to(reply: Reply) -> Sentence:
    """Return where a redirect leads to."""
    where = plain(reply.header("location"))
    if not where:
        return Sentence("answer_leads_nowhere", status=reply.status)
    return Sentence("answer_leads_to", status=reply.status, where=where)


def strange(what: str) -> Strange:
    """Return that something else than the catalogue answered."""
    return Strange(Sentence("answered_by_other", answer=what))


class ReadAnswers:
    """Understands answers of one environment.

    Every method raises ``TryAgain`` where the answer is not in the catalogue's own form, or another
    try may bring more, ``Unreadable`` where the body is not JSON, and ``Misshapen`` where it is
    about what was asked for, but not as it should be.
    """

    def __init__(self, environment: Environment, iris: IriMap) -> None:
        self._environment = environment
        self._iris = iris

    def record(
        self, record: str, reply: Reply, *, old: bool = False, etag: str | None = None
    ) -> ReadAnswer:
        """Return what became of a record.

        Args:
            record: short id or IRI asked for.
            reply: the answer.
            old: an older version was asked for.
            etag: that the record was asked not to have.
        """
        name = self._environment.name
        match reply.status:
            case 200:
                return self._found(record, reply, old=old)
            case 304 if etag is not None and normal_etag(reply.header("etag")) == etag:
                return NotModified(environment=name, record=record, etag=etag)
            case 404 if is_api_error(reply):
                return Missing(environment=name, record=record)
            case 410 if is_api_error(reply):
                return Gone(environment=name, record=record)
            case status if status in _REDIRECTS:
                return self._moved(record, reply, old=old)
            case _:
                raise no_answer(reply)

    def _found(self, record: str, reply: Reply, *, old: bool) -> Found:
        document = self._document(record, reply)
        iri = str(record_part(document)["@id"])
        etag = normal_etag(reply.header("etag"))
        if not etag and not old:
            raise strange(Sentence("answer_without_etag"))
        if SHORT_ID.fullmatch(record) and iri != self._environment.base_uri + record:
            asked = self._environment.base_uri + record
            raise Misshapen(Sentence("answer_of_other_record", asked=asked, got=plain(iri)))
        return Found(
            environment=self._environment.name,
            record=self._iris.short_id(iri) or record,
            iri=iri,
            document=document,
            etag=etag,
        )

    def _document(self, asked: str, reply: Reply) -> Document:
        """Return the record that was asked for; one with other names is no answer."""
        data = read_json(reply.media_type, reply.body, record=True)
        if not isinstance(data, dict) or "@graph" not in data:
            raise no_answer(reply)
        names = _names(data["@graph"])
        own = SHORT_ID.fullmatch(asked) and names[:1] and names[0].rpartition("/")[2] == asked
        if not names:
            raise strange(Sentence("answer_without_id", asked=plain(asked)))
        if asked not in names and not own:
            raise strange(
                Sentence("answer_of_other_record", asked=plain(asked), got=plain(names[0]))
            )
        return read_document(data)

    def _moved(self, record: str, reply: Reply, *, old: bool) -> ReadAnswer:
        """Return where a record is, or that a version is a deletion.

        An old version in which a record was deleted that lives again leads to the record's thing.
        """
        target = self._own_iri(reply)
        if target is None:
            raise no_answer(reply)
        name = self._environment.name
        if self._iris.short_id(target) != record:
            return Moved(environment=name, record=record, target=target)
        if old and reply.status == 302 and target == self._iris.thing_iri(record):
            return Gone(environment=name, record=record)
        raise strange(Sentence("answer_leads_to_itself", status=reply.status))

    def _own_iri(self, reply: Reply) -> str | None:
        """Return the record or thing that a redirect leads to; None: it is none of this environment.

        The query behind it is our own and taken off.
        """
        base = self._environment.base_uri
        try:
            target = urljoin(base, reply.header("location")).partition("?")[0]
        except ValueError:
            return None
        address = self._environment.base_url + "/"
        if target.startswith(address):
            target = base + target.removeprefix(address)
        return target if self._iris.short_id(target) else None

    def held(self, reply: Reply) -> tuple[str, ...] | None:
        """Return what ``_findhold`` found; None where it cannot say."""
        match reply.status:
            case 200:
                return tuple(self._short(iri) for iri in _listed(reply))
            case 400 if is_container_error(reply):
                return ()  # the bib is unknown here, so nothing is held on it
            case status if status >= 500:
                return None
            case _:
                raise no_answer(reply)

    def documents(self, reply: Reply) -> list[Document]:
        """Return the records that ``_dependencies`` found; none where the id is unknown."""
        if reply.status == 400 and is_container_error(reply):
            return []
        if reply.status != 200:
            raise no_answer(reply)
        return [read_document(item) for item in _listed(reply)]

    def own_id(self, document: Document) -> str:
        """Return the short id of a record of this environment."""
        return self._short(record_part(document)["@id"])

    def _short(self, iri: Any) -> str:
        short_id = self._iris.short_id(iri) if isinstance(iri, str) else None
        if short_id is None:
            base = self._environment.base_uri
            raise Misshapen(Sentence("record_of_other_environment", iri=plain(str(iri)), base=base))
        return short_id

    def named(self, name: str, reply: Reply) -> str | None:
        """Return the short id of the record that has this name."""
        match self.record(name, reply):
            case Found() as found:
                return self.own_id(found.document)
            case Moved(target=target):
                return self._iris.short_id(target)
            case _:
                return None

    def hits(self, reply: Reply) -> tuple[str, ...]:
        """Return the short ids of the records of this environment that a search found."""
        if reply.status != 200:
            raise no_answer(reply)
        data = read_json(reply.media_type, reply.body)
        items = data.get("items") if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise no_answer(reply)
        found = (item.get("@id") for item in items if isinstance(item, dict))
        ids = (self._iris.short_id(iri) for iri in found if isinstance(iri, str))
        return tuple(short_id for short_id in ids if short_id)

    def library(self, iri: str, reply: Reply) -> str | None:
        """Return a library's name, empty where its record says none; None: there is no record."""
        if reply.status in (404, 410) and is_api_error(reply):
            return None
        if reply.status in _REDIRECTS and self._is_another_library(iri, reply):
            return ""
        if reply.status == 200:
            return self._name_of(iri, reply)
        raise no_answer(reply)

    def _is_another_library(self, iri: str, reply: Reply) -> bool:
        """Return True if a library's IRI is another name of a library, or of some record."""
        target = reply.header("location").partition("?")[0]
        other = target.startswith(LIBRARY_PREFIX) and target != iri
        return other or self._own_iri(reply) is not None

    def _name_of(self, iri: str, reply: Reply) -> str:
        try:
            document = self._document(iri, reply)
        except Misshapen:
            return ""
        thing = thing_part(document)
        for key in ("name", "prefLabel", "label"):
            value = thing.get(key)
            text = value[0] if isinstance(value, list) and value else value
            if isinstance(text, str) and text.strip():
                return text.strip()[:MAX_NAME]
        return ""


def _names(graph: Any) -> list[str]:
    """Return the ids of a record and its thing, as far as there are any."""
    nodes = graph[:2] if isinstance(graph, list) else []
    iris = [node.get("@id") for node in nodes if isinstance(node, dict)]
    return [iri for iri in iris if isinstance(iri, str)]


def _listed(reply: Reply) -> list[Any]:
    data = read_json(reply.media_type, reply.body, records=True)
    if not isinstance(data, list):
        raise no_answer(reply)
    return data
