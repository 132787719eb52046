"""``bulkrunner demo`` ends well, tells every step and leaves a report."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_demo_goes_the_whole_road(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bulkrunner", "demo", "--json"],
        capture_output=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads(done.stdout)
    report = Path(document["report"])
    assert report.is_file()
    assert "2026-11-shelf-marks" in report.read_text(encoding="utf-8")
    exits = [(step["command"].split()[1], step["exit_code"]) for step in document["steps"]]
    assert exits.count(("run", 4)) == 2
    assert exits[-3:] == [("resume", 0), ("verify", 0), ("report", 0)] or ("resume", 0) in exits
    told = done.stderr.decode()
    assert "closed gate" in told
    assert "0 of them twice" in told
