"""Record cassettes of the contract suite and of the conversations: ``make record``.

From a sandbox started for it, or from the test environment that ``BULKRUNNER_CONTRACT`` names.
Nothing is replaced unless the whole suite passes and no secret is found in what was recorded; what
was recorded from a real server is not replaced by what a sandbox answers.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr
import yaml
from vcr.record_mode import RecordMode

from tests.contract.conversations import CONVERSATIONS, Conversation
from tests.contract.filters import Filter, leaks, suspicions
from tests.contract.target import FIXED_URL, Api, Target, open_target

HERE = Path(__file__).resolve().parent
CASSETTES = HERE / "cassettes"
LARGEST = 2_000_000
ORIGINS = CASSETTES / "origins.json"
"""By cassette ``server`` or ``sandbox``: what it was recorded from."""


def from_a_server() -> list[str]:
    """Return the cassettes that a real server answered, in order, the suite's first."""
    origins = json.loads(ORIGINS.read_text(encoding="utf-8"))
    names = sorted(name for name, origin in origins.items() if origin == "server")
    return sorted(names, key=lambda name: not name.startswith("suite/"))


def recorder(filters: Filter) -> vcr.VCR:
    """Return a recorder that cleans what it writes."""
    return vcr.VCR(
        record_mode=RecordMode.ALL,
        before_record_request=filters.request,
        before_record_response=filters.response,
    )


class SuiteRecorder:
    """Plugin of pytest: one cassette for each module of the suite."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._module = ""
        self._vcr: vcr.VCR | None = None
        self.filters: Filter | None = None

    def know(self, target: Target) -> None:
        """Learn which environment is recorded; the suite's fixture says so."""
        self.filters = Filter(target)
        self._vcr = recorder(self.filters)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Switch to the cassette of the test's module."""
        if item.path.stem != self._module and self._vcr is not None:
            self._open.close()
            self._module = item.path.stem
            path = self._folder / f"{self._module.removeprefix('test_')}.yaml"
            self._open.enter_context(self._vcr.use_cassette(str(path)))
        return (yield)

    def pytest_sessionfinish(self) -> None:
        """Write the last cassette."""
        self._open.close()


def record_suite(folder: Path) -> set[str]:
    """Run the suite and record it; returns the secrets that were used."""
    plugin = SuiteRecorder(folder)
    modules = [
        str(p)
        for p in sorted(HERE.glob("test_*.py"))
        if p.stem not in {"test_cassettes", "test_traps"}
    ]
    arguments = ["-q", "-x", "--assert=plain", "-p", "no:cacheprovider", *modules]
    pluggable = _Named(plugin)
    if pytest.main(arguments, plugins=[pluggable]) != 0 or plugin.filters is None:
        raise SystemExit("The suite does not pass: nothing was recorded.")
    return plugin.filters.secrets


class _Named:
    """Registers the recorder under the name by which the fixture finds it."""

    def __init__(self, plugin: SuiteRecorder) -> None:
        self._plugin = plugin

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._plugin, "contract-recorder")


def record_conversations(folder: Path, target: Target) -> set[str]:
    """Record every conversation and the facts that replaying it needs."""
    filters = Filter(target)
    facts = {}
    with httpx.Client(follow_redirects=False, timeout=60) as http:
        for conversation in CONVERSATIONS:
            api = Api(target, http)
            facts[conversation.__name__] = _record_one(conversation, api, folder, filters)
            api.clean()
    text = json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    text = text.replace(target.base_uri, FIXED_URL + "/")
    (folder / "index.json").write_text(text, encoding="utf-8")
    return filters.secrets


def _record_one(
    conversation: Conversation, api: Api, folder: Path, filters: Filter
) -> dict[str, Any]:
    name = conversation.__name__
    path = folder / f"{name}.yaml"
    steps = conversation(api)
    facts = next(steps)
    with recorder(filters).use_cassette(str(path)):
        next(steps, None)
    return {"what": (conversation.__doc__ or "").strip(), **facts, "answers": _answers(path)}


def _answers(path: Path) -> list[str]:
    recorded = yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]
    return [f"{one['request']['method']} {one['response']['status']['code']}" for one in recorded]


def check(folder: Path, secrets: set[str]) -> list[str]:
    """Say what keeps the cassettes from being kept."""
    files = sorted(folder.rglob("*.yaml"))
    faults = sorted({fault for file in files for fault in suspicions(file)})
    faults += [f"{file.name}: a secret" for file in files if leaks(file, secrets)]
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST:
        faults.append(f"{size} bytes in all, more than {LARGEST}")
    return faults


def main() -> int:
    """Record into a temporary folder, look through it, put it in place."""
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary)
        for name in ("suite", "conversations"):
            (new / name).mkdir()
        secrets = record_suite(new / "suite")
        with open_target(base_uris={"test": FIXED_URL + "/"}) as target:
            secrets |= record_conversations(new / "conversations", target)
        faults = check(new, secrets)
        if faults:
            sys.stderr.write("\n".join(["Nothing was kept:", *faults, ""]))
            return 1
        kept = keep(new, "server" if os.environ.get("BULKRUNNER_CONTRACT") else "sandbox")
    sys.stdout.write(f"{kept} cassettes replaced in {CASSETTES}\n")
    return 0


def keep(new: Path, origin: str) -> int:
    """Put recordings in their place and note their origin; returns how many there are.

    Args:
        new: the folder that holds them.
        origin: a sandbox replaces only what a sandbox answered.
    """
    origins = json.loads(ORIGINS.read_text(encoding="utf-8"))
    count = 0
    for file in sorted(new.rglob("*.yaml")):
        name = file.relative_to(new).as_posix()
        if origin == "sandbox" and origins.get(name) == "server":
            continue
        shutil.copyfile(file, CASSETTES / name)
        origins[name] = origin
        count += 1
    facts = CASSETTES / "conversations" / "index.json"
    found = json.loads((new / "conversations" / "index.json").read_text(encoding="utf-8"))
    known = json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else {}
    for conversation, about in found.items():
        if origins[f"conversations/{conversation}.yaml"] == origin:
            known[conversation] = about
    for path, content in ((facts, known), (ORIGINS, origins)):
        text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        path.write_text(text, encoding="utf-8")
    return count


if __name__ == "__main__":
    sys.exit(main())
