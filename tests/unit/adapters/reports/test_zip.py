"""The page in a zip file, the same to the byte whenever it is made of the same report."""

import zipfile
from pathlib import Path

from bulkrunner.adapters.reports import write_report
from tests.support import reports


def test_holds_the_page_and_nothing_else(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path)
    page = write_report(data, tmp_path / "report.html", form="html")
    packed = write_report(data, tmp_path / "report.zip", form="zip")
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["p1.html"]
        assert archive.read("p1.html") == page.read_bytes()
    assert packed.stat().st_size < page.stat().st_size
    again = write_report(data, tmp_path / "again.zip", form="zip")
    assert again.read_bytes() == packed.read_bytes()
