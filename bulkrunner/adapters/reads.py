"""What the catalogue's answers to reads mean; what cannot be understood is never guessed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from bulkrunner.adapters.bodies import Misshapen, Unreadable, read_document, read_json
from bulkrunner.adapters.http import Reply
from bulkrunner.adapters.replies import normal_etag
from bulkrunner.adapters.retry import TryAgain
from bulkrunner.adapters.words import plain, words_of
from bulkrunner.domain.answers import Found, Gone, Missing, Moved, NotModified, ReadAnswer
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import SHORT_ID, IriMap
from bulkrunner.domain.records import Document, record_part, thing_part

MAX_NAME = 200
"""Characters kept of a library's name."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def status_and_words(reply: Reply) -> str:
    """Return an answer in one line."""
    return f"{reply.status} {words_of(reply)}".rstrip()


class ReadAnswers:
    """Understands answers of one environment.

    Every method raises ``TryAgain`` where another try may bring more, ``Unreadable`` where the
    body is not JSON, and ``Misshapen`` where it is, but not what was asked for.
    """

    def __init__(self, environment: Environment, iris: IriMap) -> None:
        self._environment = environment
        self._iris = iris

    def record(self, record: str, reply: Reply, *, old: bool = False) -> ReadAnswer:
        """Return what became of a record; ``old``: an older version was asked for."""
        name = self._environment.name
        match reply.status:
            case 200:
                return self._found(record, reply, old=old)
            case 304:
                return NotModified(
                    environment=name, record=record, etag=normal_etag(reply.header("etag"))
                )
            case 404:
                return Missing(environment=name, record=record)
            case 410:
                return Gone(environment=name, record=record)
            case status if status in _REDIRECTS:
                return Moved(environment=name, record=record, target=self._target(reply))
            case _:
                raise TryAgain(status_and_words(reply))

    def _found(self, record: str, reply: Reply, *, old: bool) -> Found:
        document = read_document(read_json(reply.media_type, reply.body, record=True))
        iri = str(record_part(document)["@id"])
        etag = normal_etag(reply.header("etag"))
        if not etag and not old:
            raise Misshapen("the record came without an ETag")
        short_id = self._iris.short_id(iri)
        if SHORT_ID.fullmatch(record):
            if iri != self._environment.base_uri + record:
                raise Misshapen(
                    f"asked for {self._environment.base_uri}{record}, got {plain(iri)}; "
                    "is base_uri right for this environment?"
                )
        elif record not in (iri, thing_part(document)["@id"]):
            raise Misshapen(f"asked for {plain(record)}, got {plain(iri)}")
        return Found(
            environment=self._environment.name,
            record=short_id or record,
            iri=iri,
            document=document,
            etag=etag,
        )

    def _target(self, reply: Reply) -> str:
        """Return the IRI of a redirect; the query behind it is our own and taken off."""
        location = reply.header("location")
        if not location:
            raise Misshapen("the redirect does not say where to")
        target = urljoin(self._environment.base_uri, location)
        return target.partition("?")[0]

    def held(self, reply: Reply) -> tuple[str, ...] | None:
        """Return what ``_findhold`` found; None where it cannot say."""
        match reply.status:
            case 200:
                iris = read_json(reply.media_type, reply.body)
                if not isinstance(iris, list):
                    raise Misshapen("the list of holdings is no list")
                return tuple(self._short(iri) for iri in iris)
            case 400:
                return ()  # the bib is unknown here, so nothing is held on it
            case status if status >= 500:
                return None
            case _:
                raise TryAgain(status_and_words(reply))

    def documents(self, reply: Reply) -> list[Document]:
        """Return the records that ``_dependencies`` found; none where the id is unknown."""
        if reply.status == 400:
            return []
        if reply.status != 200:
            raise TryAgain(status_and_words(reply))
        data = read_json(reply.media_type, reply.body)
        if not isinstance(data, list):
            raise Misshapen("the list of records is no list")
        return [read_document(item) for item in data]

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

    def named(self, reply: Reply) -> str | None:
        """Return the short id of the record that has this name."""
        if reply.status in (404, 410):
            return None
        if reply.status == 200:
            return self.own_id(read_document(read_json(reply.media_type, reply.body, record=True)))
        if reply.status in _REDIRECTS:
            return self._iris.short_id(self._target(reply))
        raise TryAgain(status_and_words(reply))

    def hits(self, reply: Reply) -> tuple[str, ...]:
        """Return the short ids of the records of this environment that a search found."""
        if reply.status != 200:
            raise TryAgain(status_and_words(reply))
        data = read_json(reply.media_type, reply.body)
        items = data.get("items") if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise Misshapen("the search's answer holds no list of items")
        found = (item.get("@id") for item in items if isinstance(item, dict))
        ids = (self._iris.short_id(iri) for iri in found if isinstance(iri, str))
        return tuple(short_id for short_id in ids if short_id)

    def library(self, reply: Reply) -> str | None:
        """Return a library's name, empty where its record says none; None: there is no record."""
        if reply.status in (404, 410):
            return None
        if reply.status in _REDIRECTS:
            return ""
        if reply.status == 200:
            return _name_in(reply)
        raise TryAgain(status_and_words(reply))


def _name_in(reply: Reply) -> str:
    try:
        document = read_document(read_json(reply.media_type, reply.body, record=True))
    except (Misshapen, Unreadable):
        return ""
    thing = thing_part(document)
    for key in ("name", "prefLabel", "label"):
        value = thing.get(key)
        text = value[0] if isinstance(value, list) and value else value
        if isinstance(text, str) and text.strip():
            return text.strip()[:MAX_NAME]
    return ""
