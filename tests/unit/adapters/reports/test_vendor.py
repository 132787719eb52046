"""What is vendored is what its README says, licences included."""

import hashlib
import re

from bulkrunner.adapters.reports import page

VENDOR = page._HERE / "vendor"


def test_the_vendored_script_has_the_hash_that_is_written_down() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    found = re.search(r"SHA-256 of `vendor.js`: `([0-9a-f]{64})`", readme)
    assert found is not None
    assert hashlib.sha256((VENDOR / "vendor.js").read_bytes()).hexdigest() == found[1]


def test_every_licence_that_the_readme_names_is_there() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    licences = re.findall(r"`(LICENSE\.[\w-]+)`", readme)
    assert len(licences) == 2
    for name in licences:
        assert "Permission is hereby granted" in (VENDOR / name).read_text(encoding="utf-8")


def test_the_vendored_script_runs_no_text_as_code() -> None:
    source = (VENDOR / "vendor.js").read_text(encoding="utf-8")
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write|importScripts", source)
