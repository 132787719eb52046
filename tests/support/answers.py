"""Answers as reviewers send them, and keys to sign them with."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulkrunner.adapters.signatures import NAMESPACE
from bulkrunner.domain.answer_text import Answer, answer_text
from bulkrunner.domain.plan import Plan, PlanState
from tests.support.ledgers import PRODUCTION_ADDRESSES, a_plan

HEAD = "sha256:" + "a" * 64


def complete_plan(**values: Any) -> Plan:
    return a_plan(
        "p-4k7x2mw9qz",
        **{
            "environment": "production",
            "addresses": PRODUCTION_ADDRESSES,
            "state": PlanState.COMPLETE,
            "plan_digest": "sha256:" + "b" * 64,
            "counts": {"update": 7, "delete": 2},
            "policy": {},
            **values,
        },
    )


def an_answer(plan: Plan, **values: Any) -> Answer:
    return Answer(
        **{
            "approved": True,
            "plan": plan.id,
            "digest": plan.plan_digest,
            "head": HEAD,
            "by": "Karin Ek",
            "reference": "KB 2026-0412",
            **values,
        }
    )


def form(plan: Plan, **values: Any) -> str:
    """The text of an answer that nobody has filled in."""
    return answer_text(plan, replace(an_answer(plan, **values), by="", reference=""))


class Key:
    """An SSH key of a reviewer."""

    def __init__(self, folder: Path, name: str, kind: str = "ed25519") -> None:
        self.path = folder / name
        self.identity = f"{name}@kb.se"
        command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(self.path)]
        subprocess.run(command, check=True)
        words = Path(f"{self.path}.pub").read_text(encoding="utf-8").split()
        self.public = " ".join(words[:2])

    def line(self, options: str = "") -> str:
        """A line of an allowed-signers file."""
        return " ".join(part for part in (self.identity, options, self.public) if part)

    def sign(self, text: str, *, namespace: str = NAMESPACE) -> str:
        done = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(self.path)],
            input=text.encode(),
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()
