"""What a bundle is made of (docs/reference/bundle.md)."""

from __future__ import annotations

VERSION = 1

HEAD = "bundle.json"
PLAN = "plan.json"
CHANGES = "changes.jsonl"
APPROVALS = "approvals.jsonl"
RUN = "run.json"
ATTEMPTS = "attempts.jsonl"
RESULTS = "results.jsonl"
EVENTS = "events.jsonl"
REPORT = "report.json"
README = "README.txt"

OF_PLAN = (PLAN, CHANGES, APPROVALS, EVENTS, REPORT, README)
OF_RUN = (RUN, ATTEMPTS, RESULTS)

MOST_LINE = 64 * 1024 * 1024
"""Bytes of one line, or of one whole JSON member but the report."""

TEXT = """\
Det här är ett bevis på vad bulkrunner planerade, vad som godkändes och vad som gjordes.
Kontrollera det med: bulkrunner ledger check DENNA-FIL
This is the proof of what bulkrunner planned, what was approved and what was done.
Verify it with: bulkrunner ledger check THIS-FILE

Without bulkrunner: each line of events.jsonl has the hash
  SHA-256( hash of the event before it, 32 bytes  ||  canonical JSON of [chain, position, at, kind, data] )
where data is text; bundle.json says which hash stands before the first. The head in bundle.json is
the last hash of the chain with the empty name; compare it with the one in the report or the answer.
The data of an event holds the SHA-256 of the row that it stored. Documents stand under the SHA-256
of their canonical JSON: sorted keys, no blanks, UTF-8.
"""
