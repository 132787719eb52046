"""Reports as files: HTML to read, JSON and CSV to work with."""

from bulkrunner.adapters.reports.wording import LANGUAGES
from bulkrunner.adapters.reports.writing import FORMATS, json_report, write_report

__all__ = ["FORMATS", "LANGUAGES", "json_report", "write_report"]
