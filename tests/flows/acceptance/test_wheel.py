"""The distributions, away from the checkout, have all it takes to use and to test them."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.cli import update_label
from tests.support.docs import fenced, page
from tests.support.paths import ROOT

UV = Path(sys.executable).with_name("uv")


def run(*command, **more):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **more
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    hatchling = Path(sys.executable).with_name("hatchling")
    run(hatchling, "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_migrations_jobs_templates_and_schema(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "bulkrunner/_share/migrations/env.py",
        "bulkrunner/_share/jobs/2026-11-shelf-marks/job.yaml",
        "bulkrunner/_share/templates/table/job.yaml",
        "bulkrunner/_share/templates/table/tabell.csv",
        "bulkrunner/adapters/manifests/job.schema.json",
        "bulkrunner/vocabulary/terms.json",
    ):
        assert name in names
    assert any(name.startswith("bulkrunner/adapters/reports/templates/") for name in names)
    assert not any("test" in name.partition("/")[0] for name in names)


def test_the_source_distribution_holds_what_it_takes_to_test_it(tmp_path):
    hatchling = Path(sys.executable).with_name("hatchling")
    run(hatchling, "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = next(path for path in tmp_path.iterdir() if path.is_dir())
    for name in ("tests", "bench"):
        here, there = (
            {path.relative_to(root) for path in (root / name).rglob("*") if path.suffix == ".py"}
            for root in (ROOT, folder)
        )
        assert here == there
    assert (folder / "requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    part = ("tests/unit/domain/test_iris.py", "tests/unit/config/test_schema.py")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *part)
    assert " passed" in run(*command, cwd=folder, env=environ)
    where = run(sys.executable, "-c", "import bulkrunner; print(bulkrunner.__file__)", cwd=folder)
    assert Path(where.strip()).is_relative_to(folder)


class Installed:
    """A virtual environment with the wheel and nothing of the checkout."""

    def __init__(self, wheel: Path, folder: Path, python: str = sys.executable) -> None:
        self.folder = folder
        run(UV, "venv", "--quiet", "--python", python, folder / "venv")
        self.python = folder / "venv" / "bin" / "python"
        lock = ROOT / "requirements.lock"
        run(UV, "pip", "install", "--quiet", "--python", self.python, "--constraint", lock, wheel)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        away = ("PYTHONPATH", "PYTHONPYCACHEPREFIX")
        environ = {key: value for key, value in os.environ.items() if key not in away}
        done = subprocess.run(
            [self.python.with_name("bulkrunner"), *arguments],
            cwd=self.folder,
            env={**environ, "TMPDIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


@pytest.mark.slow
def test_the_installed_wheel_runs_the_demo_away_from_the_checkout(installed):
    """It ends well, tells every step and leaves a report."""
    done = installed("demo", "--json")
    document = json.loads(done.stdout)
    report = Path(document["report"])
    assert report.is_relative_to(installed.folder)
    assert "2026-11-shelf-marks" in report.read_text(encoding="utf-8")
    exits = [(step["command"].split()[1], step["exit_code"]) for step in document["steps"]]
    assert exits.count(("run", 4)) == 2
    assert exits[-3:] == [("resume", 0), ("verify", 0), ("report", 0)] or ("resume", 0) in exits
    assert "closed gate" in done.stderr
    assert "0 of them twice" in done.stderr


def test_the_installed_wheel_makes_new_jobs(installed):
    assert "tabell.csv" in installed("new", "a", "--kind", "table").stdout
    assert (installed.folder / "a" / "job.schema.json").is_file()


def test_the_installed_wheel_s_tables_are_made_by_its_own_migrations(installed):
    url = f"sqlite:///{installed.folder / 'ledger.db'}"
    done = installed("--json", "--ledger", url, "ledger", "check")
    assert json.loads(done.stdout)["state"] == "intact"


def test_the_how_to_s_example_tests_a_client_away_from_the_checkout(installed):
    (example,) = fenced(page("how-to/test-your-own-client.md"), "python")
    (installed.folder / "test_client.py").write_text(example, encoding="utf-8")
    lock = ROOT / "requirements.lock"
    run(UV, "pip", "install", "--quiet", "--python", installed.python, "-c", lock, "pytest")
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    told = run(installed.python, "-m", "pytest", "-q", cwd=installed.folder, env=environ)
    assert "3 passed" in told


def newest_python():
    """The newest other Python that the machine has, as the system or pyenv keep it, else this one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in (14, 13, 12):
        found = [*Path("/usr/bin").glob(f"python3.{minor}")]
        found += pyenv.glob(f"versions/3.{minor}.*/bin/python")
        if found:
            return str(found[0])
    return sys.executable


USE = """
import bulkrunner

with bulkrunner.open("bulkrunner.toml") as runner:
    planned = runner.plan(JOB, "staging")
    ran = runner.run(JOB, "staging")
    production = runner.plan(JOB, "production")
    try:
        runner.run(JOB, "production")
    except bulkrunner.GateClosed as closed:
        shut = [gate["name"] for gate in closed.document["gates"] if not gate["open"]]
    runner.approve(production.plan, by="K", reference="1")
    done = runner.run(JOB, "production")
    print(ran.outcomes["applied"], shut, done.outcomes["applied"], runner.verify(done.run).checked)
"""


@pytest.mark.slow
def test_a_program_on_another_python_takes_a_job_the_whole_road(wheel, libris_pair, tmp_path):
    installed = Installed(wheel, tmp_path, newest_python())
    libris_pair.write_config(tmp_path / "bulkrunner.toml")
    ids = [
        record
        for record in libris_pair.production.records("hold", "Ylm")
        if "shelfMark" in libris_pair.production.document(record)["@graph"][1]
    ]
    manifest = {
        "bulkrunner": 1,
        "job": "marks",
        "title": "Marks",
        "purpose": "Made by a test.",
        "on_behalf_of": "Ylm",
        "sigels": ["Ylm"],
        "operations": update_label(ids[:2], to="Hcx"),
    }
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "use.py").write_text(f"JOB = 'job'\n{USE}", encoding="utf-8")
    away = ("PYTHONPATH", "PYTHONPYCACHEPREFIX")
    environ = {key: value for key, value in os.environ.items() if key not in away}
    told = run(installed.python, "use.py", cwd=tmp_path, env=environ | libris_pair.variables())
    assert told.strip() == "2 ['approval'] 2 2"
