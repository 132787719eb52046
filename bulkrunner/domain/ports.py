"""What services ask of the world outside. Adapters implement these; services know nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from threading import Condition
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bulkrunner.domain.approvals import Signer
    from bulkrunner.domain.catalogue import (
        Activity,
        DumpPage,
        DumpRow,
        FindPage,
        Held,
        ReadAnswer,
        WriteAnswer,
    )
    from bulkrunner.domain.records import Document
    from bulkrunner.domain.rights import Rights


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now(self) -> datetime:
        """Return the wall clock in UTC, aware."""

    def monotonic(self) -> float:
        """Return seconds on a clock that also runs while the machine is suspended."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait_for(
        self, condition: Condition, is_true: Callable[[], bool], seconds: float | None
    ) -> bool:
        """Wait until ``is_true`` or the seconds are over (None: for ever)."""
        # Returns whether it is true.
        # The caller holds the condition, which is notified whenever it may have become true;
        # ``is_true`` looks at what it guards, and does nothing else.


class CatalogueReader(Protocol):
    """Reads of one environment. Has no method that could write; planning is given only this."""

    def read(self, record: str, *, if_none_match: str | None = None) -> ReadAnswer:
        """Read the newest version.

        Args:
            record: short id, or a legacy IRI (answered with ``Moved`` where known).
            if_none_match: plain ETag; ``NotModified`` when the record still has it.

        Raises:
            CatalogueUnreachable: no usable answer after every retry.
        """

    def read_version(self, record: str, version: int) -> ReadAnswer:
        """Read an older version; negative numbers count from the newest (-1)."""

    def holdings_of(self, bib_iri: str, sigel: str) -> tuple[str, ...]:
        """Return short ids of the library's live holdings on the bib, straight from the database."""
        # ``bib_iri``: of the bib's main thing, in this environment.

    def links_to(self, iri: str) -> tuple[str, ...]:
        """Return short ids of records that link directly to the record's thing (any relation)."""

    def bibs_named(self, names: Sequence[str], identifiers: Sequence[str]) -> tuple[str, ...]:
        """Return short ids of records with one of these ``sameAs`` IRIs or identifiers, at most 50."""
        # The index that is searched lags behind; that nothing is found proves nothing.

    def find(self, query: Sequence[tuple[str, str]], *, limit: int, offset: int = 0) -> FindPage:
        """Return one page of a search in the index, in the order of ids."""
        # The same name twice in a query means either. ``limit``: at most 4,000; 0 counts only.

    def dump_page(self, sigel: str, *, offset: int) -> DumpPage:
        """Return a page (100) of the dump of a library's holdings, a list up to five days old."""

    def feed_page(self, *, until: int) -> tuple[Activity, ...]:
        """Return up to 100 changes before a time (ms since 1970), newest first, without any lag."""

    def holdings_on(self, bib_iri: str) -> tuple[Held, ...]:
        """Return every library's live holdings on the bib, straight from the database."""

    def server_time(self) -> datetime | None:
        """Return the time that the catalogue's last answer bore, None where it bore none."""

    def library_exists(self, sigel: str) -> bool:
        """Return True if the library's record resolves in this environment."""

    def library_name(self, sigel: str) -> str | None:
        """Return the name in the library's record, empty where it has none; None: no record."""

    def rights(self) -> Rights:
        """Ask the login what the client may do, now."""
        # LoginRefused or LoginDown where it does not say.

    def rights_are_due(self) -> bool:
        """Return True if the token, renewed where due, is another than when ``rights`` was asked last."""
        # LoginRefused or LoginDown where none can be had.

    @property
    def requests(self) -> int:
        """HTTP requests sent so far through this object, login included."""


class CatalogueWriter(CatalogueReader, Protocol):
    """Reads and writes of one environment. One call sends one request, never more."""

    def put(self, record: str, document: Document, *, etag: str, active_sigel: str) -> WriteAnswer:
        """Replace a record."""

    def post(self, document: Document, *, active_sigel: str) -> WriteAnswer:
        """Create a record; ``document`` carries the TEMPID."""

    def delete(self, record: str, *, active_sigel: str) -> WriteAnswer:
        """Delete a record."""

    def before_each_write(self, look: Callable[[], None]) -> None:
        """Call ``look`` just before the first byte of each write; where it raises, none is sent."""

    def renew_token(self) -> None:
        """Get a new token now, dropping the old one."""
        # LoginRefused or LoginDown where none can be had.


class DumpStorage(Protocol):
    """Records of dumps, kept outside memory while one plan is made; thread safe."""

    def want(self, library: str, records: Iterable[str]) -> int:
        """Note records that will be asked for; returns how many of the library's are wanted."""

    def index(self, library: str, records: Iterable[tuple[str, str | None]]) -> None:
        """Note records that the search index names, and the bib's IRI as it has it."""
        # A record whose dump has another IRI is to be read singly: a dump shows one form only.

    def begin(self, library: str) -> None:
        """Forget what pages of a library's list brought: it is read from its beginning."""

    def put(self, library: str, page: Sequence[DumpRow], *, wanted: bool) -> int:
        """Keep a page of a library's list; returns how many of its records came before."""
        # With ``wanted`` contents are kept of records only that will be asked for.

    def change(self, library: str, changes: Mapping[str, tuple[str, int]]) -> None:
        """Note the newest change (kind, ms since 1970) of records; older contents are dropped."""

    def drop(self, library: str, why: str, record: str | None = None) -> None:
        """Drop the content of a record, or every one of a library; ``why``: so it is read singly."""

    def forget_bibs(self, bibs: Mapping[str, int]) -> None:
        """Drop what is known of bibs from before they were changed (ms since 1970)."""

    def counts(self, library: str) -> dict[str, int]:
        """Count a library's records: ``dump_shown``, ``index_only``, ``dump_only``."""

    def named(self, libraries: Sequence[str]) -> Iterator[str]:
        """Yield, in order and each once, what list, index or feed name of libraries, live."""

    def spread(self, library: str, count: int, *, wanted: bool = False) -> list[str]:
        """Return so many records, with contents or wanted, spread over a library's."""

    def record(self, record: str) -> tuple[Document | None, str]:
        """Return a record, or why it is to be read singly; empty where nothing is known of it."""

    def bib(self, bib: str) -> Mapping[str, Any] | None:
        """Return what is known of a bib."""


class Progress(Protocol):
    """Where services say how far they are."""

    def begin(self, what: str, total: int | None) -> None:
        """Start a phase; total is None where nobody knows."""

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """Tell how many are done in all, and what became of them."""

    def waiting(self, reason: str, seconds: float | None) -> None:
        """Tell why nothing happens just now, and for how long; empty reason: goes on."""

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        """Tell one event; ``action`` is its stable name."""

    def end(self) -> None:
        """Finish the phase."""


class Signatures(Protocol):
    """Knows whose signature stands under a text."""

    def verify(self, text: str, signature: str, *, signers: Sequence[str], at: datetime) -> Signer:
        """Return whose signature it is; SignatureRefused, with the reason, where it is not good."""
        # ``text``: signed character by character; ``signers``: lines of an allowed-signers file;
        # ``at``: when the key must have been valid.


class WriteGate(Protocol):
    """Politeness: decides when the next write may be sent."""

    def __call__(self) -> AbstractContextManager[None]:
        """Wait until a write may be sent; hold a place among the concurrent requests."""
