"""The ledger's tables and kinds of columns. ``docs/reference/ledger.md`` says what each one means."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bulkrunner.adapters.ledger.columns import Digest, Instant, Json, Words

# Newest revision in ``migrations/versions``; revisions are numbered, so they can be compared.
SCHEMA_REVISION = "0001"

# Name of the ledger's own chain of events; every other chain bears its run's id.
MAIN_CHAIN = ""


# Indexes of some rows only name SQLite's condition; the migration says the same of PostgreSQL. To name
# it here as well would load that dialect whenever the program starts.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str = "id") -> Column[str]:
    return Column(name, String(200), nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Words, nullable=False, server_default="")


def _document(name: str) -> Column[str]:
    return Column(name, Digest, ForeignKey("documents.digest"))


def _event() -> Column[int]:
    return Column("event", Integer, nullable=False)


def _json(name: str) -> Column[Any]:
    return Column(name, Json, nullable=False)


jobs = Table(
    "jobs",
    metadata,
    _id(),
    _text("title"),
    Column("first_planned_at", Instant, nullable=False),
    PrimaryKeyConstraint("id"),
)

plans = Table(
    "plans",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    _id(),
    Column("job", String(200), ForeignKey("jobs.id"), nullable=False),
    _id("environment"),
    Column("kind", String(16), nullable=False),
    _json("addresses"),
    Column("manifest_digest", Words, nullable=False),
    Column("effect_digest", Words, nullable=False),
    _json("policy"),
    _json("manifest"),
    _json("rights"),
    _text("program_version"),
    _text("folder"),
    Column("created_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("finished_at", Instant),
    Column("plan_digest", Words),
    _json("counts"),
    _json("tallies"),
    Column("cursor", Integer, nullable=False, server_default="0"),
    Column("requests", Integer, nullable=False, server_default="0"),
    _event(),
    UniqueConstraint("id"),
    CheckConstraint("state in ('planning', 'interrupted', 'complete')", name="state"),
    CheckConstraint("(state = 'complete') = (plan_digest is not null)", name="digest"),
    Index(None, "job", "environment"),
)

documents = Table(
    "documents",
    metadata,
    Column("digest", Digest, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("digest"),
)

compactions = Table(
    "compactions",
    metadata,
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    _event(),
    PrimaryKeyConstraint("plan"),
)

dropped = Table(
    "dropped",
    metadata,
    Column("digest", Digest, ForeignKey("documents.digest"), nullable=False),
    _event(),
    PrimaryKeyConstraint("digest"),
    Index(None, "event"),
)

planned_changes = Table(
    "planned_changes",
    metadata,
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    _text("record"),
    _text("given"),
    _text("source_file"),
    Column("source_line", Integer, nullable=False),
    Column("source_column", Integer, nullable=False),
    _json("operation"),
    Column("operation_digest", Digest, nullable=False),
    Column("kind", String(16)),
    Column("declared", Words),
    Column("sigel", Words),
    Column("bib", Json),
    Column("etag", Words),
    _document("before"),
    _document("after"),
    _document("predicted"),
    Column("before_fingerprint", Words),
    Column("after_fingerprint", Words),
    Column("target_key", Words),
    _text("pattern"),
    Column("cleanups", Json),
    _text("code"),
    _text("message"),
    Column("notes", Json),
    Column("prerequisites", Json),
    Column("origins", Json),
    Column("library", Words),
    Column("step", Integer),
    Column("parts", Json),
    Column("made", Words),
    Column("place", Words),
    Column("batch", Integer),
    Column("wish", Digest),
    Column("read_by", Words),
    PrimaryKeyConstraint("plan", "number"),
    UniqueConstraint("plan", "target_key"),
    Index(None, "operation_digest", "plan"),
    Index(
        "ix_planned_changes_place",
        "plan",
        "place",
        sqlite_where=text("place is not null"),
    ),
    Index(
        "ix_planned_changes_wish",
        "wish",
        "plan",
        sqlite_where=text("wish is not null"),
    ),
    Index("ix_planned_changes_batch", "plan", "batch"),
    CheckConstraint(
        "action in ('create', 'update', 'delete', 'unchanged', 'refused', 'not_found')",
        name="action",
    ),
)

selections = Table(
    "selections",
    metadata,
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("note", Json),
    PrimaryKeyConstraint("plan", "step"),
)

selected = Table(
    "selected",
    metadata,
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("ref", Words, nullable=False),
    PrimaryKeyConstraint("plan", "step", "position"),
)

input_lines = Table(
    "input_lines",
    metadata,
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("place", Integer, nullable=False),
    _text("source_file"),
    Column("source_line", Integer, nullable=False),
    Column("source_column", Integer, nullable=False),
    _text("code"),
    _text("given"),
    _text("message"),
    PrimaryKeyConstraint("plan", "place"),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    _id(),
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("job", String(200), ForeignKey("jobs.id"), nullable=False),
    _id("environment"),
    Column("state", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("active_at", Instant, nullable=False),
    Column("finished_at", Instant),
    _text("stop_reason"),
    Column("stop_request", Words),
    Column("requests", Integer, nullable=False, server_default="0"),
    Column(
        "paused", Boolean(create_constraint=False), nullable=False, server_default=text("false")
    ),
    _event(),
    Column("rate", Float),
    Column("hold", Boolean(create_constraint=False), nullable=False, server_default=text("false")),
    _text("ordered_by"),
    UniqueConstraint("id"),
    CheckConstraint("state in ('running', 'interrupted', 'stopped', 'completed')", name="state"),
    Index(None, "plan"),
    Index(
        "uq_runs_running",
        "job",
        "environment",
        unique=True,
        sqlite_where=text("state = 'running'"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run", String(200), ForeignKey("runs.id"), nullable=False),
    Column("change", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("intent_at", Instant, nullable=False),
    Column("method", String(16), nullable=False),
    Column("etag", Words),
    Column("known_ids", Json),
    Column("answer", String(32)),
    Column("status", Integer),
    Column("answered_at", Instant),
    _text("words"),
    _text("error_id"),
    Column("server_date", Instant),
    _event(),
    Column("answer_event", Integer),
    PrimaryKeyConstraint("run", "change", "number"),
)

results = Table(
    "results",
    metadata,
    Column("run", String(200), ForeignKey("runs.id"), nullable=False),
    Column("change", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    _text("code"),
    _text("message"),
    Column("record", Words),
    Column("etag", Words),
    Column("stored_modified", Words),
    Column("detail", Json),
    _document("stored"),
    Column("decided_at", Instant, nullable=False),
    _event(),
    PrimaryKeyConstraint("run", "change"),
    CheckConstraint(
        "outcome in ('applied', 'unchanged', 'conflict', 'refused', 'failed', 'unknown')",
        name="outcome",
    ),
)

approvals = Table(
    "approvals",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("plan_digest", Words, nullable=False),
    Column("approved", Boolean(create_constraint=False), nullable=False),
    _text("given_by"),
    _text("reference"),
    _text("answer"),
    _json("statements"),
    _text("recorded_by"),
    Column("recorded_at", Instant, nullable=False),
    _event(),
    Column("conditions", Json),
    Column("head", Words),
    Column("language", String(8)),
    Column("signature", Text),
    Column("signer", Words),
    Column("signing_key", Words),
    Column("standing", Json),
    Index(None, "plan"),
)

standing_claims = Table(
    "standing_claims",
    metadata,
    Column("claimed_by", String(200), ForeignKey("runs.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    Column("approved", String(200), ForeignKey("plans.id"), nullable=False),
    Column("rule", Words, nullable=False),
    Column("bounds", Json),
    Column("claimed_at", Instant, nullable=False),
    Column("after", Integer, nullable=False),
    _event(),
    PrimaryKeyConstraint("claimed_by", "number"),
    Index(None, "rule"),
)

standing_ends = Table(
    "standing_ends",
    metadata,
    Column("plan", String(200), ForeignKey("plans.id"), nullable=False),
    _text("ended_by"),
    _text("reason"),
    Column("ended_at", Instant, nullable=False),
    _event(),
    PrimaryKeyConstraint("event"),
    Index(None, "plan"),
)

advances = Table(
    "advances",
    metadata,
    Column("job", String(200), nullable=False),
    Column("host", Words, nullable=False),
    Column("boot", Words, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Words, nullable=False),
    Column("expires_at", Instant, nullable=False),
    PrimaryKeyConstraint("job"),
)

leases = Table(
    "leases",
    metadata,
    Column("run", String(200), ForeignKey("runs.id"), nullable=False),
    Column("token", Integer, nullable=False),
    Column("host", Words),
    Column("boot", Words),
    Column("pid", Integer),
    Column("started", Words),
    Column("expires_at", Instant),
    Column("taken_at", Instant),
    PrimaryKeyConstraint("run"),
)

paces = Table(
    "paces",
    metadata,
    Column("place", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("free_at", BigInteger, nullable=False),
    Column("rest_until", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("place", "kind"),
)

places = Table(
    "places",
    metadata,
    Column("place", Text, nullable=False),
    Column("holder", String(40), nullable=False),
    Column("host", Words, nullable=False),
    Column("boot", Words, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Words, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("most", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("place", "holder"),
)

waits = Table(
    "waits",
    metadata,
    Column("run", String(200), ForeignKey("runs.id"), nullable=False),
    _text("reason"),
    Column("until", Instant),
    PrimaryKeyConstraint("run"),
)

clients = Table(
    "clients",
    metadata,
    _id("environment"),
    Column("client", Words, nullable=False),
    Column("first_used_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    _text("last_use"),
    Column("retired_at", Instant),
    Column("retired_by", Words),
    Column("event", Integer),
    PrimaryKeyConstraint("environment", "client"),
)

client_uses = Table(
    "client_uses",
    metadata,
    _id("environment"),
    Column("client", Words, nullable=False),
    _id("use"),
    Column("first_used_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    _event(),
    PrimaryKeyConstraint("environment", "client", "use"),
)

events = Table(
    "events",
    metadata,
    Column("chain", String(200), nullable=False),
    Column("position", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("chain", "position"),
)

chains = Table(
    "chains",
    metadata,
    Column("chain", String(200), nullable=False),
    Column("position", Integer, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("entered", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("chain"),
)
