"""Pages link to what is there, and their examples are accepted by the program."""

import configparser
import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from bulkrunner.adapters.job_folders import kinds
from bulkrunner.adapters.manifests import load_job
from bulkrunner.cli.commands.workers import worker
from bulkrunner.cli.main import COMMANDS
from bulkrunner.config import load_settings
from bulkrunner.domain.environment import KB_BASES
from bulkrunner.sandbox.fault_rules import _KNOWN, _SELECTORS, FaultKind, Faults
from tests.flows.acceptance.test_jobs import EXPECTED
from tests.project.pictures import PICTURES
from tests.support.docs import (
    DOCS,
    PACKAGE,
    PAGES,
    ROOT,
    fenced,
    in_code,
    page,
    read,
    sections,
    table_rows,
)
from tests.support.tables import xlsx

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(path):
    plain = FENCE.sub("", read(path))
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(plain)]
    return {word.strip().replace(" ", "-") for word in words}


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_relative_links_resolve(path):
    for link in LINK.findall(FENCE.sub("", read(path))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


PICTURE = re.compile(r"!\[([^\]]+)\]\(([^)\s]+)\)")


def test_every_picture_is_there_small_and_named_on_a_page():
    named = {
        (path.parent / file).resolve(): said
        for path in PAGES
        for said, file in PICTURE.findall(FENCE.sub("", read(path)))
    }
    there = {path.resolve() for path in (DOCS / "how-to" / "pictures").iterdir()}
    assert set(named) == there
    assert {path.stem for path in there} == set(PICTURES)
    for path in there:
        assert path.read_bytes().startswith(b"\x89PNG"), path
        assert path.stat().st_size < 120_000, path
        assert len(named[path]) > 20, "told to whoever does not see it"


def test_every_page_can_be_reached_from_the_front():
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        targets = [link.partition("#")[0] for link in LINK.findall(FENCE.sub("", read(path)))]
        found = [(path.parent / target).resolve() for target in targets if target]
        waiting += [target for target in found if target.is_file()]
        waiting += [one for target in found if target.is_dir() for one in target.glob("*.md")]
    assert set(DOCS.rglob("*.md")) - seen == set()


def test_every_page_has_a_row_of_its_own_in_the_list_of_its_kind():
    kinds_of_page = sections(page("README.md"), "(Tutorial|How-to|Reference|Explanation)")
    assert len(kinds_of_page) == 4
    for kind, text in kinds_of_page.items():
        rows = [row for row in table_rows(text) if row != ["page", "what it is for"]]
        assert all(len(row) == 2 and row[1] for row in rows)
        listed = [link for row in rows for link in LINK.findall(row[0])]
        files = [path.relative_to(DOCS).as_posix() for path in (DOCS / kind.lower()).glob("*.md")]
        assert sorted(listed) == sorted(files)


def test_the_changelog_counts_what_is_there():
    told = re.search(r"any of (\d+) kinds, .* (\d+) example jobs", read(ROOT / "CHANGELOG.md"))
    assert told is not None
    examples = [path for path in (ROOT / "jobs").iterdir() if path.is_dir()]
    assert [int(number) for number in told.groups()] == [len(kinds()), len(examples)]


def test_every_decision_is_listed_and_has_its_parts():
    listed = page("decisions/README.md")
    files = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [int(path.name[:3]) for path in files]
    assert numbers == list(range(1, len(files) + 1))
    for path in files:
        text = read(path)
        title = text.splitlines()[0].removeprefix(f"# {path.name[:3]} ")
        assert f"| [{path.name[:3]}]({path.name}) | {title} |" in listed
        assert HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"]


def whole_manifests():
    for path in PAGES:
        for number, block in enumerate(fenced(read(path), "yaml")):
            if re.search(r"^bulkrunner:", block, re.MULTILINE):
                yield pytest.param(block, id=f"{name(path)}-{number}")


@pytest.mark.parametrize("block", list(whole_manifests()))
def test_whole_manifests_are_accepted(block, tmp_path):
    (tmp_path / "job.yaml").write_text(block, encoding="utf-8")
    (tmp_path / "ids.txt").write_text("fzr8v1sn2k3m4p5\n", encoding="utf-8")
    loaded = load_job(tmp_path, bases=KB_BASES)
    assert loaded.job.id == yaml.safe_load(block)["job"]


def test_the_tutorial_shows_the_job_it_is_about(tmp_path):
    (shown,) = [b for b in fenced(page("tutorial/first-job.md"), "yaml") if "job:" in b]
    (tmp_path / "job.yaml").write_text(shown, encoding="utf-8")
    folder = ROOT / "jobs" / "2026-11-shelf-marks"
    (tmp_path / "ids.txt").write_bytes((folder / "ids.txt").read_bytes())
    digests = [load_job(one, bases=KB_BASES).job.manifest_digest for one in (tmp_path, folder)]
    assert digests[0] == digests[1]
    assert digests[0] in page("tutorial/first-job.md")


def parts_of_manifests():
    for path in (DOCS / "how-to").glob("*.md"):
        for number, block in enumerate(fenced(read(path), "yaml")):
            yield pytest.param(block, id=f"{path.name}-{number}")


@pytest.mark.parametrize("block", list(parts_of_manifests()))
def test_parts_of_manifests_fit_into_one(block, tmp_path):
    head = "bulkrunner: 1\njob: j\ntitle: t\npurpose: p\non_behalf_of: Ylm\nsigels: [Ylm, NO]\n"
    rest = "" if re.search(r"^(steps|operations):", block, re.MULTILINE) else "operations: []\n"
    rest = rest.replace("[]", "[{delete: fzr8v1sn2k3m4p5}]")
    (tmp_path / "job.yaml").write_text(head + rest + block, encoding="utf-8")
    for file in ("flytta.csv", "par.csv"):
        (tmp_path / file).write_text(
            "Bestånd;Rätt bib;Bort;Kvar;ISBN\n" + 2 * "fzr8v1sn2k3m4p5;h1x2c3v4b5n6m7k;" + "\n",
            "utf-8",
        )
    (tmp_path / "run.jsonl").write_text('{"record": "fzr8v1sn2k3m4p5", "outcome": "applied"}\n')
    for file in ("gallrade.txt", "ids.txt", "bibs.txt"):
        (tmp_path / file).write_text("fzr8v1sn2k3m4p5\n", encoding="utf-8")
    (tmp_path / "signum.csv").write_text("gammalt;nytt\nHc;Hce\n", encoding="utf-8")
    (tmp_path / "rules.py").write_text("def change(record, context):\n    return record\n")
    (tmp_path / "lista.xlsx").write_bytes(xlsx([["Bibid", "Signum"], ["(NR)0012", "hc"]]))
    assert load_job(tmp_path, bases=KB_BASES).job.id == "j"


def test_every_kind_of_job_has_its_how_to():
    rows = list(table_rows(page("how-to/write-a-manifest.md")))
    listed = [kind for row in rows for kind in in_code(row[1])]
    assert sorted(listed) == sorted(kinds())
    assert all(LINK.findall(row[2]) for row in rows)


PLANNED = re.compile(
    r"^\$ bulkrunner plan jobs/(\S+) --env staging\n(?:plan .*\n)?  (.*)$", re.MULTILINE
)


@pytest.mark.parametrize("path", [path for path in PAGES if PLANNED.search(read(path))], ids=name)
def test_plans_of_examples_count_what_they_do(path):
    for example, told in PLANNED.findall(read(path)):
        expected = EXPECTED[example]
        actions = ("delete", "create", "update", "unchanged", "refused", "not_found")
        assert told == ", ".join(f"{expected.get(one, 0)} {one}" for one in actions)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{name(path)}-{number}")
        for path in PAGES
        for number, block in enumerate(fenced(read(path), "toml"))
        if "[[rule]]" not in block  # a policy file: tests/unit/config/test_rules.py
    ],
)
def test_configuration_examples_are_accepted(block, tmp_path):
    assert tomllib.loads(block)
    file = tmp_path / "bulkrunner.toml"
    file.write_text(block, encoding="utf-8")
    assert load_settings(file, {}).environments


# --- the sandbox's page ----------------------------------------------------------------------

SANDBOX = page("reference/sandbox.md")


def part(title):
    return SANDBOX.split(f"## {title}\n")[1].split("\n## ")[0]


def test_fault_kinds_and_their_keys_are_listed():
    kinds, selectors = part("Faults").split("Which requests a rule strikes")
    rows = {in_code(row[0])[0]: set(in_code(row[1])) for row in table_rows(kinds)}
    assert rows == {kind.value: set(_KNOWN[kind]) for kind in FaultKind}
    listed = {key for row in table_rows(selectors) for key in in_code(row[0])}
    assert listed == _SELECTORS - {"kind"}


def test_fault_examples_are_taken():
    faults = Faults()
    for block in fenced(SANDBOX, "json"):
        faults.add(*json.loads(block))
    for rules in re.findall(r"/_sandbox/faults -d '([^']+)'", page("how-to/use-the-sandbox.md")):
        faults.add(*json.loads(rules))
    assert len(faults.rules()) == 4


def test_control_paths_are_listed():
    source = read(PACKAGE / "sandbox" / "own_paths.py")
    routes = set(re.findall(r'\("(GET|POST|DELETE)", "([a-z]+)"\):', source))
    written = [words for row in table_rows(part("Control paths")) for words in in_code(row[0])]
    listed = {(method, path.split("/")[0]) for method, path in (one.split() for one in written)}
    assert routes
    assert listed == routes


def test_options_of_the_sandbox_module_are_listed():
    done = subprocess.run(
        [sys.executable, "-m", "bulkrunner.sandbox", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    taken = set(re.findall(r"--[a-z][a-z-]*", done.stdout)) - {"--help"}
    assert set(re.findall(r"--[a-z][a-z-]*", part("Options"))) == taken


def test_units_and_services_start_a_worker():
    text = page("how-to/several-machines.md")
    unit = configparser.ConfigParser()
    unit.read_string(fenced(text, "ini")[0])
    services = yaml.safe_load(fenced(text, "yml")[0])["services"]
    for words in (unit["Service"]["ExecStart"].split(), services["worker"]["command"]):
        program, command, *options = words
        assert (program.rpartition("/")[2], COMMANDS[command]) == ("bulkrunner", "workers")
        worker.make_context(command, options)
