"""The ledger's tables, and the triggers that keep what is written."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PERMANENT = (
    *("approvals", "compactions", "dropped", "events"),
    *("standing_claims", "standing_ends"),
)
"""Rows of these are never changed."""

KEPT = (
    *(*PERMANENT, "attempts", "chains", "documents", "jobs"),
    *("planned_changes", "plans", "results", "runs"),
)
"""Rows of these are never deleted."""

OTHERWISE = (
    "OLD.digest <> NEW.digest OR (length(OLD.content) > 0 AND length(NEW.content) > 0) "
    "OR (length(NEW.content) = 0 AND NOT EXISTS "
    "(SELECT 1 FROM dropped WHERE dropped.digest = OLD.digest))"
)
"""Another change of a document than dropping it, or putting a dropped one back."""


def upgrade() -> None:
    op.create_table(
        "chains",
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("entered", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_chains"),
    )
    op.create_table(
        "client_uses",
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("use", sa.String(length=200), nullable=False),
        sa.Column("first_used_at", sa.String(length=32), nullable=False),
        sa.Column("last_used_at", sa.String(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "client", "use", name="pk_client_uses"),
    )
    op.create_table(
        "clients",
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.String(length=32), nullable=False),
        sa.Column("last_used_at", sa.String(length=32), nullable=False),
        sa.Column("last_use", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", sa.String(length=32)),
        sa.Column("retired_by", sa.Text()),
        sa.Column("event", sa.Integer()),
        sa.PrimaryKeyConstraint("environment", "client", name="pk_clients"),
    )
    op.create_table(
        "documents",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_documents"),
    )
    op.create_table(
        "events",
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name="pk_events"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("first_planned_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_table(
        "paces",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.Column("rest_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("place", "kind", name="pk_paces"),
    )
    op.create_table(
        "places",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", "holder", name="pk_places"),
    )
    op.create_table(
        "dropped",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["documents.digest"], name="fk_dropped_digest_documents"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_dropped"),
    )
    op.create_index("ix_dropped_event", "dropped", ["event"])
    op.create_table(
        "plans",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("manifest_digest", sa.Text(), nullable=False),
        sa.Column("effect_digest", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("program_version", sa.Text(), server_default="", nullable=False),
        sa.Column("folder", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("finished_at", sa.String(length=32)),
        sa.Column("plan_digest", sa.Text()),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("tallies", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'complete') = (plan_digest is not null)", name=op.f("ck_plans_digest")
        ),
        sa.CheckConstraint(
            "state in ('planning', 'interrupted', 'complete')", name=op.f("ck_plans_state")
        ),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name="fk_plans_job_jobs"),
        sa.PrimaryKeyConstraint("seq", name="pk_plans"),
        sa.UniqueConstraint("id", name="uq_plans_id"),
    )
    op.create_index("ix_plans_job_environment", "plans", ["job", "environment"])
    op.create_table(
        "approvals",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("plan_digest", sa.Text(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("given_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("statements", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_at", sa.String(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.Column("conditions", sa.Text()),
        sa.Column("head", sa.Text()),
        sa.Column("language", sa.String(length=8)),
        sa.Column("signature", sa.Text()),
        sa.Column("signer", sa.Text()),
        sa.Column("signing_key", sa.Text()),
        sa.Column("standing", sa.Text()),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_approvals_plan_plans"),
        sa.PrimaryKeyConstraint("seq", name="pk_approvals"),
    )
    op.create_index("ix_approvals_plan", "approvals", ["plan"])
    op.create_table(
        "compactions",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_compactions_plan_plans"),
        sa.PrimaryKeyConstraint("plan", name="pk_compactions"),
    )
    op.create_table(
        "input_lines",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("source_file", sa.Text(), server_default="", nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("source_column", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("given", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_input_lines_plan_plans"),
        sa.PrimaryKeyConstraint("plan", "place", name="pk_input_lines"),
    )
    op.create_table(
        "planned_changes",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("record", sa.Text(), server_default="", nullable=False),
        sa.Column("given", sa.Text(), server_default="", nullable=False),
        sa.Column("source_file", sa.Text(), server_default="", nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("source_column", sa.Integer(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("operation_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16)),
        sa.Column("declared", sa.Text()),
        sa.Column("sigel", sa.Text()),
        sa.Column("bib", sa.Text()),
        sa.Column("etag", sa.Text()),
        sa.Column("before", sa.LargeBinary(length=32)),
        sa.Column("after", sa.LargeBinary(length=32)),
        sa.Column("predicted", sa.LargeBinary(length=32)),
        sa.Column("before_fingerprint", sa.Text()),
        sa.Column("after_fingerprint", sa.Text()),
        sa.Column("target_key", sa.Text()),
        sa.Column("pattern", sa.Text(), server_default="", nullable=False),
        sa.Column("cleanups", sa.Text()),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("notes", sa.Text()),
        sa.Column("prerequisites", sa.Text()),
        sa.Column("origins", sa.Text()),
        sa.Column("library", sa.Text()),
        sa.Column("step", sa.Integer()),
        sa.Column("parts", sa.Text()),
        sa.Column("made", sa.Text()),
        sa.Column("place", sa.Text()),
        sa.Column("batch", sa.Integer()),
        sa.Column("wish", sa.LargeBinary(length=32)),
        sa.Column("read_by", sa.Text()),
        sa.CheckConstraint(
            "action in ('create', 'update', 'delete', 'unchanged', 'refused', 'not_found')",
            name=op.f("ck_planned_changes_action"),
        ),
        sa.ForeignKeyConstraint(
            ["after"], ["documents.digest"], name="fk_planned_changes_after_documents"
        ),
        sa.ForeignKeyConstraint(
            ["before"], ["documents.digest"], name="fk_planned_changes_before_documents"
        ),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_planned_changes_plan_plans"),
        sa.ForeignKeyConstraint(
            ["predicted"], ["documents.digest"], name="fk_planned_changes_predicted_documents"
        ),
        sa.PrimaryKeyConstraint("plan", "number", name="pk_planned_changes"),
        sa.UniqueConstraint("plan", "target_key", name="uq_planned_changes_plan_target_key"),
    )
    op.create_index("ix_planned_changes_batch", "planned_changes", ["plan", "batch"])
    op.create_index(
        "ix_planned_changes_operation_digest_plan",
        "planned_changes",
        ["operation_digest", "plan"],
    )
    op.create_index(
        "ix_planned_changes_place",
        "planned_changes",
        ["plan", "place"],
        sqlite_where=sa.text("place is not null"),
        postgresql_where=sa.text("place is not null"),
    )
    op.create_index(
        "ix_planned_changes_wish",
        "planned_changes",
        ["wish", "plan"],
        sqlite_where=sa.text("wish is not null"),
        postgresql_where=sa.text("wish is not null"),
    )
    op.create_table(
        "runs",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.String(length=32), nullable=False),
        sa.Column("active_at", sa.String(length=32), nullable=False),
        sa.Column("finished_at", sa.String(length=32)),
        sa.Column("stop_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("stop_request", sa.Text()),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float()),
        sa.Column("hold", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ordered_by", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state in ('running', 'interrupted', 'stopped', 'completed')",
            name=op.f("ck_runs_state"),
        ),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name="fk_runs_job_jobs"),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_runs_plan_plans"),
        sa.PrimaryKeyConstraint("seq", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_plan", "runs", ["plan"])
    op.create_index(
        "uq_runs_running",
        "runs",
        ["job", "environment"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "selected",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_selected_plan_plans"),
        sa.PrimaryKeyConstraint("plan", "step", "position", name="pk_selected"),
    )
    op.create_table(
        "selections",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_selections_plan_plans"),
        sa.PrimaryKeyConstraint("plan", "step", name="pk_selections"),
    )
    op.create_table(
        "attempts",
        sa.Column("run", sa.String(length=200), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("intent_at", sa.String(length=32), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("known_ids", sa.Text()),
        sa.Column("answer", sa.String(length=32)),
        sa.Column("status", sa.Integer()),
        sa.Column("answered_at", sa.String(length=32)),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column("error_id", sa.Text(), server_default="", nullable=False),
        sa.Column("server_date", sa.String(length=32)),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.Column("answer_event", sa.Integer()),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_attempts_run_runs"),
        sa.PrimaryKeyConstraint("run", "change", "number", name="pk_attempts"),
    )
    op.create_table(
        "leases",
        sa.Column("run", sa.String(length=200), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text()),
        sa.Column("boot", sa.Text()),
        sa.Column("pid", sa.Integer()),
        sa.Column("started", sa.Text()),
        sa.Column("expires_at", sa.String(length=32)),
        sa.Column("taken_at", sa.String(length=32)),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_leases_run_runs"),
        sa.PrimaryKeyConstraint("run", name="pk_leases"),
    )
    op.create_table(
        "results",
        sa.Column("run", sa.String(length=200), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("record", sa.Text()),
        sa.Column("etag", sa.Text()),
        sa.Column("stored_modified", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("stored", sa.LargeBinary(length=32)),
        sa.Column("decided_at", sa.String(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "outcome in ('applied', 'unchanged', 'conflict', 'refused', 'failed', 'unknown')",
            name=op.f("ck_results_outcome"),
        ),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_results_run_runs"),
        sa.ForeignKeyConstraint(
            ["stored"], ["documents.digest"], name="fk_results_stored_documents"
        ),
        sa.PrimaryKeyConstraint("run", "change", name="pk_results"),
    )
    op.create_table(
        "standing_claims",
        sa.Column("claimed_by", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("approved", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("bounds", sa.Text()),
        sa.Column("claimed_at", sa.String(length=32), nullable=False),
        sa.Column("after", sa.Integer(), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claimed_by"], ["runs.id"], name="fk_standing_claims_claimed_by_runs"
        ),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_standing_claims_plan_plans"),
        sa.ForeignKeyConstraint(
            ["approved"], ["plans.id"], name="fk_standing_claims_approved_plans"
        ),
        sa.PrimaryKeyConstraint("claimed_by", "number", name="pk_standing_claims"),
    )
    op.create_index("ix_standing_claims_rule", "standing_claims", ["rule"])
    op.create_table(
        "standing_ends",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("ended_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_standing_ends_plan_plans"),
        sa.PrimaryKeyConstraint("event", name="pk_standing_ends"),
    )
    op.create_index("ix_standing_ends_plan", "standing_ends", ["plan"])
    op.create_table(
        "advances",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_advances"),
    )
    op.create_table(
        "waits",
        sa.Column("run", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("until", sa.String(length=32)),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_waits_run_runs"),
        sa.PrimaryKeyConstraint("run", name="pk_waits"),
    )

    _guard()


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")


def _guard() -> None:
    for table in PERMANENT:
        _forbid(table, "UPDATE", f"{table} are never changed")
    for table in KEPT:
        _forbid(table, "DELETE", f"{table} are never deleted")
    _forbid("documents", "UPDATE", "documents are never changed", when=OTHERWISE)
    _forbid("plans", "UPDATE", "a complete plan is never changed", when="OLD.state = 'complete'")
    complete = "(SELECT state FROM plans WHERE id = {}.plan) = 'complete'"
    _forbid(
        "planned_changes",
        "INSERT",
        "a complete plan takes no change",
        when=complete.format("NEW"),
    )
    _forbid(
        "planned_changes",
        "UPDATE",
        "changes of a complete plan are never changed",
        when=complete.format("OLD"),
    )


def _forbid(table: str, verb: str, message: str, *, when: str = "") -> None:
    name = f"{table}_{verb.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        condition = f"WHEN {when} " if when else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {condition}"
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    test = f"IF NOT ({when}) THEN RETURN NEW; END IF;" if when else ""
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {test} "
        f"RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
