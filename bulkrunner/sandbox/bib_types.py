"""Bibs sent with old types are stored with today's, simplified to the commonest of them."""

from __future__ import annotations

from typing import Any

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents

_CARRIED = ("carrierType", "mediaType", "contentType", "genreForm")
_FORMS = "https://id.kb.se/term/saobf/"
_KEPT = frozenset({"Print"})
"""Old types that are kept as a category."""
_ISSUANCE = frozenset({"Monograph", "Serial", "Collection", "Integrating"})


def convert(document: dict[str, Any]) -> None:
    """Rewrite the thing's type, its work's type and its categories, where they are old ones."""
    thing = documents.node(document, 1)
    kind = documents.text(thing, "@type") or ""
    if "pending" not in vocabulary.category(kind):
        return
    thing["@type"] = "DigitalResource" if kind == "Electronic" else "PhysicalResource"
    own = [{"@id": f"{_FORMS}{kind}"}] if kind in _KEPT else []
    issuance = thing.pop("issuanceType", None)
    work = thing.get("instanceOf")
    if isinstance(work, dict) and "@id" not in work:
        if issuance in _ISSUANCE:
            work["@type"] = issuance
        _gather_categories(work, [])
    _gather_categories(thing, own)


def _gather_categories(holder: dict[str, Any], gathered: list[Any]) -> None:
    for name in ("category", *_CARRIED):
        entries = holder.pop(name, None)
        for entry in entries if isinstance(entries, list) else [entries]:
            if entry is not None and entry not in gathered:
                gathered.append(entry)
    if gathered:
        holder["category"] = gathered
