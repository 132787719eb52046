"""What the catalogue's answers to reads mean; what cannot be understood is never guessed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from bulkrunner.adapters.bodies import Misshapen, read_document, read_json
from bulkrunner.adapters.http import Reply
from bulkrunner.adapters.replies import is_api_error, is_container_error, normal_etag
from bulkrunner.adapters.retry import Strange, TryAgain
from bulkrunner.adapters.words import plain, words_of
from bulkrunner.domain.answers import Found, Gone, Missing, Moved, NotModified, ReadAnswer
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import SHORT_ID, IriMap
from bulkrunner.domain.records import LIBRARY_PREFIX, Document, record_part, thing_part

MAX_NAME = 200
"""Characters kept of a library's name."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def status_and_words(reply: Reply) -> str:
    """Return an answer in one line."""
    return f"{reply.status} {words_of(reply)}".rstrip()


def no_answer(reply: Reply) -> TryAgain:
    """Return that an answer is none, with who it was that gave it as far as its form tells."""
    if reply.status >= 500 or reply.status == 429:
        return TryAgain(status_and_words(reply), by_server=is_api_error(reply))
    if reply.status in _REDIRECTS:
        where = plain(reply.header("location")) or "nowhere"
        return strange(f"{reply.status} to {where}")
    return strange(status_and_words(reply))


def strange(what: str) -> Strange:
    """Return that something else than the catalogue answered."""
    return Strange(f"something else answered in the catalogue's place: {what}")


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
            raise strange("a record without an ETag")
        if SHORT_ID.fullmatch(record) and iri != self._environment.base_uri + record:
            raise Misshapen(
                f"asked for {self._environment.base_uri}{record}, got {plain(iri)}; "
                "is base_uri right for this environment?"
            )
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
            raise strange(f"asked for {plain(asked)}, got a record without an id")
        if asked not in names and not own:
            raise strange(
                f"asked for {plain(asked)}, got {plain(names[0])}; "
                "is base_uri right for this environment?"
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
        raise strange(f"{reply.status} to the very record that was asked for")

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
            raise Misshapen(
                f"{plain(str(iri))} is no record of {self._environment.base_uri}; "
                "is base_uri right for this environment?"
            )
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
    data = read_json(reply.media_type, reply.body)
    if not isinstance(data, list):
        raise no_answer(reply)
    return data
