"""A catalogue instance and the policy under which it may be written to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from bulkrunner.domain.rules import Rule

PRODUCTION_HOST = "libris.kb.se"
PRODUCTION_LOGIN = "login.libris.kb.se"
KB_TEST_HOSTS = ("libris-stg.kb.se", "libris-qa.kb.se", "libris-edu.kb.se")
KB_BASES = tuple(f"https://{host}/" for host in (PRODUCTION_HOST, *KB_TEST_HOSTS))


class Kind(StrEnum):
    """What an environment is for."""

    TEST = "test"
    PRODUCTION = "production"


def host_of(url: str) -> str:
    """Return the lower-case host of a URL, without port and trailing dot."""
    return (urlsplit(url).hostname or "").lower().rstrip(".")


def is_loopback(url: str) -> bool:
    """Tell whether the URL's host is this machine's loopback address or ``localhost``."""
    host = host_of(url)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One catalogue instance.

    Attributes:
        rate: writes per second. read_rate: reads per second. concurrency: requests at a time.
        windows: ``HH:MM-HH:MM`` hours in ``timezone`` when writes may be sent; empty: always.
    """

    name: str
    kind: Kind
    base_url: str
    token_url: str
    base_uri: str
    rate: float
    read_rate: float
    concurrency: int
    windows: tuple[str, ...] = ()
    timezone: str = "Europe/Stockholm"

    @property
    def loopback(self) -> bool:
        """Whether the catalogue is on this machine."""
        return is_loopback(self.base_url)

    def addresses(self) -> dict[str, str]:
        """Return what the gate ``environment`` compares and the plan digest contains."""
        return {
            "kind": self.kind.value,
            "base_url": self.base_url,
            "token_url": self.token_url,
            "base_uri": self.base_uri,
        }


CEILING_KEYS = ("records", "create", "update", "delete")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Values that decide when a run may start; part of every plan's digest.

    Attributes:
        ceilings: at most so many changes by action (``records``: all together).
        test_hosts: further hosts whose test runs count for a production that is not on loopback.
        reviewers: allowed-signers file; then an approval must be signed. signers: its lines when
            the plan was made, without comments.
        rules: of the policy file, besides KB's.
        client_unused_days: after which ``doctor`` speaks of an API client.
    """

    staging_max_age_days: float = 30
    plan_max_age_hours: float = 336
    resume_max_idle_days: float = 7
    min_staging_coverage: float = 0.95
    test_hosts: tuple[str, ...] = ()
    reviewers: str | None = None
    functions: str = "confined"
    ceilings: dict[str, int] = field(default_factory=dict)
    signers: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    client_unused_days: float = 180

    def as_dict(self) -> dict[str, Any]:
        """Return the values as plain JSON data, for the plan digest and the report."""
        return {
            "staging_max_age_days": self.staging_max_age_days,
            "plan_max_age_hours": self.plan_max_age_hours,
            "resume_max_idle_days": self.resume_max_idle_days,
            "min_staging_coverage": self.min_staging_coverage,
            "test_hosts": list(self.test_hosts),
            "reviewers": self.reviewers,
            "functions": self.functions,
            "ceilings": dict(sorted(self.ceilings.items())),
            "signers": list(self.signers),
            "rules": [rule.as_dict() for rule in self.rules],
            "client_unused_days": self.client_unused_days,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Policy:
        """Read back what ``as_dict`` wrote."""
        lists = {name: tuple(data.get(name, ())) for name in ("test_hosts", "signers")}
        rules = tuple(Rule.from_dict(item) for item in data.get("rules", ()))
        return cls(**{**data, **lists, "rules": rules})

    def loosened(self) -> tuple[LooserValue, ...]:
        """Return every value that allows more than the built-in one."""
        built_in = Policy()
        found = [
            LooserValue(name=name, value=mine, built_in=theirs)
            for name, mine, theirs in (
                (
                    "staging_max_age_days",
                    self.staging_max_age_days,
                    built_in.staging_max_age_days,
                ),
                ("plan_max_age_hours", self.plan_max_age_hours, built_in.plan_max_age_hours),
                ("resume_max_idle_days", self.resume_max_idle_days, built_in.resume_max_idle_days),
            )
            if mine > theirs
        ]
        if self.min_staging_coverage < built_in.min_staging_coverage:
            found.append(
                LooserValue(
                    name="min_staging_coverage",
                    value=self.min_staging_coverage,
                    built_in=built_in.min_staging_coverage,
                )
            )
        if self.test_hosts:
            found.append(LooserValue(name="test_hosts", value=list(self.test_hosts), built_in=[]))
        if self.functions != built_in.functions and self.functions != "none":
            found.append(
                LooserValue(name="functions", value=self.functions, built_in=built_in.functions)
            )
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class LooserValue:
    """A policy value that allows more than the built-in one."""

    name: str
    value: Any
    built_in: Any

    def statement(self) -> str:
        """Return the sentence that the approval must contain, word for word."""
        shown = (
            ", ".join(self.value)
            if isinstance(self.value, list)
            else f"{self.value:g}"
            if isinstance(self.value, (int, float))
            else str(self.value)
        )
        return f"{self.name} = {shown}"


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One row of the login's verify answer: what the client may do as a sigel."""

    sigel: str
    registrant: bool
    cataloger: bool
    global_registrant: bool


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What the client may do, as the login's ``/oauth/verify`` says (libris-login, xl_auth)."""

    permissions: tuple[Permission, ...]

    def may_act_as(self, sigel: str) -> bool:
        """Tell whether the sigel may stand in ``XL-Active-Sigel``."""
        return any(p.sigel == sigel for p in self.permissions)

    def may_write_holding(self, sigel: str, *, active: str) -> bool:
        """Tell whether the client may write holdings of the sigel while acting as another."""
        if not self.may_act_as(active):
            return False
        return any(
            (p.sigel == sigel and (p.registrant or p.cataloger))
            or (p.sigel == active and p.global_registrant)
            for p in self.permissions
        )

    def may_write_bibs(self) -> bool:
        """Tell whether the client is of level 2 (cataloger on any sigel)."""
        return any(p.cataloger for p in self.permissions)

    def as_dict(self) -> list[dict[str, Any]]:
        """Return sigels and flags, all that the ledger keeps of a verify answer."""
        return [
            {
                "sigel": p.sigel,
                "registrant": p.registrant,
                "cataloger": p.cataloger,
                "global_registrant": p.global_registrant,
            }
            for p in sorted(self.permissions, key=lambda p: p.sigel)
        ]
