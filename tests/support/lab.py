"""A small environment in the process, with everything that the rules are about."""

import json
from datetime import UTC, datetime
from typing import Any

from bulkrunner.sandbox.accounts import Client, Permission
from bulkrunner.sandbox.engine import Environment
from bulkrunner.sandbox.wire import ManualClock, Request, Response, Settings

BASE = "https://libris-stg.kb.se/"
LIBRARY = "https://libris.kb.se/library/"
LD = "application/ld+json"
LONG_AGO = datetime(2019, 5, 4, 10, 0, 0, 250_000, tzinfo=UTC)
LATER = datetime(2020, 1, 1, tzinfo=UTC)

Document = dict[str, Any]


def record(short_id: str, thing: Document, **more: Any) -> Document:
    """A stored document; the thing's @id follows from the record's unless given."""
    thing = {"@id": f"{BASE}{short_id}#it", **thing}
    head = {
        "@id": BASE + short_id,
        "@type": "Record",
        "controlNumber": short_id,
        "mainEntity": {"@id": thing["@id"]},
        **more,
    }
    return {"@graph": [head, thing]}


def library(short_id: str, sigel_in_iri: str) -> Document:
    return record(short_id, {"@id": LIBRARY + sigel_in_iri, "@type": "Library", "name": short_id})


def bib(short_id: str, **more: Any) -> Document:
    title = {"@type": "Title", "mainTitle": f"Title of {short_id}"}
    return record(short_id, {"@type": "PhysicalResource", "hasTitle": [title], **more})


def holding(short_id: str, sigel: str, of: str, **more: Any) -> Document:
    return record(
        short_id,
        {
            "@type": "Item",
            "heldBy": {"@id": LIBRARY + sigel},
            "itemOf": {"@id": f"{BASE}{of}#it"},
            **more,
        },
    )


def new_holding(sigel: str, of: str, **more: Any) -> Document:
    """A document to POST."""
    return {
        "@graph": [
            {
                "@id": "https://id.kb.se/TEMPID",
                "@type": "Record",
                "mainEntity": {"@id": "https://id.kb.se/TEMPID#it"},
            },
            {
                "@id": "https://id.kb.se/TEMPID#it",
                "@type": "Item",
                "heldBy": {"@id": LIBRARY + sigel},
                "itemOf": {"@id": f"{BASE}{of}#it"},
                **more,
            },
        ]
    }


def new_bib(**more: Any) -> Document:
    return {
        "@graph": [
            {"@id": "_:TMP", "@type": "Record", "mainEntity": {"@id": "_:TMP#it"}},
            {"@id": "_:TMP#it", "@type": "PhysicalResource", **more},
        ]
    }


CLIENTS = (
    Client(client_id="level1", secret="s1", permissions=(Permission(code="Ylm", registrant=True),)),
    Client(client_id="level2", secret="s2", permissions=(Permission(code="Ylm", cataloger=True),)),
    Client(
        client_id="global",
        secret="s3",
        permissions=(Permission(code="SEK", global_registrant=True),),
    ),
    Client(client_id="other", secret="s4", permissions=(Permission(code="S", registrant=True),)),
    Client(client_id="nobody", secret="s5", has_user=False),
)

RECORDS = (
    library("libYlm", "Ylm"),
    library("libS", "S"),
    library("libGbg", "G+bg"),
    record(
        "swe",
        {
            "@id": "https://id.kb.se/language/swe",
            "@type": "Language",
            "code": "swe",
            "prefLabelByLang": {"sv": "Svenska", "en": "Swedish"},
        },
    ),
    bib(
        "b1",
        sameAs=[{"@id": "http://libris.kb.se/resource/bib/111"}],
        instanceOf={"@type": "Work", "language": [{"@id": "https://id.kb.se/language/swe"}]},
    ),
    bib("b2"),
    bib("lonely"),
    record(
        "aliased",
        {
            "@type": "PhysicalResource",
            "sameAs": [{"@id": "http://libris.kb.se/resource/bib/222"}],
        },
        sameAs=[{"@id": "http://libris.kb.se/bib/222"}],
    ),
    holding("h1", "Ylm", "b1", shelfMark={"@type": "ShelfMark", "label": "Hc"}),
    holding("hS", "S", "b1", shelfMark={"@type": "ShelfMark", "label": "Uf"}),
    holding("h2", "Ylm", "b2", physicalLocation=["MAG"]),
    record("headless", {"@type": "Item", "itemOf": {"@id": f"{BASE}b2#it"}}),
    record(
        "readonly",
        {"@type": "Topic", "prefLabel": "Fixed"},
        inDataset=[{"@id": "https://id.kb.se/dataset/terms"}],
    ),
)


class Lab:
    """An environment with short ways of asking."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.environment = Environment(
            Settings(kind="test", base_uri=BASE, **{"index_lag_ms": -1, **settings}),
            CLIENTS,
            clock=self.clock,
            seed=1,
        )
        self.load(*RECORDS)
        self.tokens: dict[str, str] = {}

    def load(self, *documents: Document) -> None:
        self.environment.load((d, LONG_AGO, LATER) for d in documents)

    def ask(
        self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Response:
        return self.environment.handle(Request.of(method, url, headers=headers, body=body))

    def get(self, url: str, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", url, headers={"Accept": LD, **named})

    def token(self, client: str) -> str:
        if client not in self.tokens:
            secret = next(c.secret for c in CLIENTS if c.client_id == client)
            form = f"client_id={client}&client_secret={secret}&grant_type=client_credentials"
            answer = self.ask("POST", "/oauth/token", form.encode())
            self.tokens[client] = json.loads(answer.body)["access_token"]
        return self.tokens[client]

    def write(
        self,
        method: str,
        url: str,
        document: Any = None,
        *,
        client: str = "level1",
        sigel: str | None = "Ylm",
        **headers: str | None,
    ) -> Response:
        """A write; a header given as None is left out."""
        sent: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token(client)}",
            "XL-Active-Sigel": sigel,
            "Content-Type": LD,
            "Accept": "application/json",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.ask(
            method, url, body, {name: value for name, value in sent.items() if value is not None}
        )

    def post(self, document: Any, **options: Any) -> Response:
        return self.write("POST", "/data", document, **options)

    def put(self, short_id: str, document: Any, **options: Any) -> Response:
        """A PUT with the current ETag, unless one is given."""
        options.setdefault("If_Match", self.etag(short_id))
        return self.write("PUT", f"/{short_id}", document, **options)

    def delete(self, short_id: str, **options: Any) -> Response:
        return self.write("DELETE", f"/{short_id}", **options)

    def stored(self, short_id: str) -> Document:
        """The document as it is stored now, deleted or not."""
        entry = self.environment.catalogue.entry(short_id)
        assert entry is not None
        return entry.document()

    def etag(self, short_id: str) -> str:
        entry = self.environment.catalogue.entry(short_id)
        assert entry is not None
        return f'"{self.environment.catalogue.etag(entry)}"'

    def versions(self, short_id: str) -> int:
        entry = self.environment.catalogue.entry(short_id)
        assert entry is not None
        return len(entry.versions)

    def created_id(self, answer: Response) -> str:
        location = answer.header("location")
        assert location is not None
        assert location.startswith(BASE)
        return location.removeprefix(BASE)


def body_of(answer: Response) -> Any:
    return json.loads(answer.body)


def message(answer: Response) -> str:
    """The API's message, or nothing for another kind of body."""
    if not answer.body.startswith(b"{"):
        return ""
    return str(body_of(answer).get("message", ""))
