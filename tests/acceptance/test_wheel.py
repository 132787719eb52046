"""The wheel, installed into an empty virtual environment away from the checkout, runs the demo."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.slow
def test_the_installed_wheel_runs_the_demo_away_from_the_checkout(wheel, tmp_path):
    venv = tmp_path / "venv"
    run(UV, "venv", "--quiet", "--python", sys.executable, venv)
    python = venv / "bin" / "python"
    lock = tmp_path / "lock.txt"
    lock.write_text((ROOT / "requirements.lock").read_text(encoding="utf-8"), encoding="utf-8")
    run(UV, "pip", "install", "--quiet", "--python", python, "--constraint", lock, wheel)
    away = ("PYTHONPATH", "PYTHONPYCACHEPREFIX")
    environ = {key: value for key, value in os.environ.items() if key not in away}
    run(venv / "bin" / "bulkrunner", "demo", cwd=tmp_path, env={**environ, "TMPDIR": str(tmp_path)})
    made = run(
        venv / "bin" / "bulkrunner", "new", "a", "--kind", "table", cwd=tmp_path, env=environ
    )
    assert "tabell.csv" in made
    assert (tmp_path / "a" / "job.schema.json").is_file()
