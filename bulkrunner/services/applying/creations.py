"""What was created since a moment, live or deleted, by the catalogue's feed of changes."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ports import CatalogueReader, Clock
from bulkrunner.domain.records import library_iri
from bulkrunner.errors import CatalogueUnreachable

log = logging.getLogger(__name__)

MOST_PAGES = 20
"""Pages of a hundred changes that are read at most, newest first."""

LATER = timedelta(hours=24)
"""The server's clock may be ahead of any that we know."""


class Creations:
    """Asks the feed, and asks no more once it has failed; shared by all threads of a run.

    The feed is read from the table of versions: it lags behind nothing and has deleted records too.
    """

    def __init__(self, reader: CatalogueReader, clock: Clock, iris: IriMap) -> None:
        self._reader = reader
        self._clock = clock
        self._iris = iris
        self._failed = threading.Event()

    def since(self, moment: datetime, sigel: str) -> frozenset[str] | None:
        """Return short ids of a library's holdings created since a moment by the server's clock.

        Returns:
            None where the feed does not tell, or not as far back.
        """
        if self._failed.is_set():
            return None
        try:
            return self._read(moment, library_iri(sigel))
        except CatalogueUnreachable as error:
            self._failed.set()
            log.warning("the feed of changes does not answer: %s", error)
            return None

    def _read(self, moment: datetime, library: str) -> frozenset[str] | None:
        found: set[str] = set()
        until = _milliseconds(max(moment, self._clock.now()) + LATER)
        for _ in range(MOST_PAGES):
            page = self._reader.feed_page(until=until)
            for change in page:
                if change.kind == "Create" and change.library == library:
                    record = self._iris.short_id(change.iri.removesuffix("#it"))
                    found |= {record} if record and change.published >= moment else set()
            if not page or page[-1].published < moment:
                return frozenset(found)
            # The oldest moment once more: a page may have ended within it.
            before, until = until, _milliseconds(page[-1].published) + 1
            if until >= before:
                return None
        return None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
