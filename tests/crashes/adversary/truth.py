"""What the embedded Libris itself knows: every version of every record, and every request."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any, TypeAlias

from bulkrunner.sandbox.engine import Environment
from bulkrunner.sandbox.store import Version

Document: TypeAlias = dict[str, Any]

WRITES = ("PUT", "POST", "DELETE")


class Truth:
    """Reads an environment of this process past HTTP, once nobody writes any more.

    Attributes:
        us: client id of the program that is judged.
    """

    def __init__(self, environment: Environment, *, us: str) -> None:
        self._environment = environment
        self.us = us
        self._starts: dict[str, int] = {}

    def begin(self, records: list[str]) -> None:
        """Remember how many versions records have before the run."""
        self._starts = {record: len(self.versions(record)) for record in records}

    def versions(self, record: str) -> list[Version]:
        """Every version of a record, oldest first."""
        with self._environment.lock:
            entry = self._environment.catalogue.entry(record)
            return list(entry.versions) if entry is not None else []

    def start(self, record: str) -> Document:
        """A record as it was before the run."""
        return document(self.versions(record)[self._starts[record] - 1])

    def ours(self, record: str) -> list[int]:
        """Places of the versions that we wrote during the run."""
        versions = self.versions(record)
        first = self._starts.get(record, 0)
        return [n for n in range(first, len(versions)) if versions[n].client == self.us]

    def edited(self) -> int:
        """How often somebody else wrote a record of the job during the run."""
        return sum(
            version.client != self.us
            for record, first in self._starts.items()
            for version in self.versions(record)[first:]
        )

    def log(self) -> list[dict[str, Any]]:
        """Every request, logins included."""
        with self._environment.lock:
            return [entry.as_json() for entry in self._environment.journal.entries()]

    def came(self, *, since: int = 0, writes: bool = False) -> int:
        """How many requests came after so many, or how many writes among them."""
        with self._environment.lock:
            return len(self._environment.journal.entries(writes=writes, since=since))

    def newest(self) -> int:
        """Number of the last request that was answered; one that waits may be older."""
        with self._environment.lock:
            return max((entry.seq for entry in self._environment.journal.entries()), default=0)

    def writes(self) -> list[dict[str, Any]]:
        """Write requests of ours; one without a token we know is ours too."""
        return [
            entry
            for entry in self.log()
            if entry["method"] in WRITES
            and not entry["path"].startswith("/oauth/")
            and entry["client"] in (self.us, None)
        ]

    def stored(self) -> Counter[str]:
        """How often each record was written by a request of ours."""
        return Counter(record for entry in self.writes() for record in entry["stored"])

    def made(self) -> dict[tuple[str, str], list[str]]:
        """Records that POSTs of ours made, by what they are: (bib, sigel), or an ISBN's value."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in self.writes():
            if entry["method"] == "POST":
                for record in entry["stored"]:
                    found[self._name(record)].append(record)
        return found

    def live_holdings(self) -> dict[tuple[str, str], list[str]]:
        """Every live holding by bib and sigel."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        with self._environment.lock:
            entries = list(self._environment.catalogue.entries())
        for entry in entries:
            if entry.pair is not None and not entry.deleted:
                found[entry.pair].append(entry.short_id)
        return found

    def _name(self, record: str) -> tuple[str, str]:
        thing = document(self.versions(record)[0])["@graph"][1]
        if "itemOf" in thing:
            bib = thing["itemOf"]["@id"].removesuffix("#it").rpartition("/")[2]
            return bib, thing["heldBy"]["@id"].rpartition("/")[2].replace("+", " ")
        return str(thing["identifiedBy"][0]["value"]), "Ylm"


def document(version: Version) -> Document:
    """What a version says."""
    parsed: Document = json.loads(version.body)
    return parsed
