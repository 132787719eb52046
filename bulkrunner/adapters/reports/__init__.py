"""Reports as files: HTML to read, JSON and CSV to work with."""

from bulkrunner.adapters.reports.language import LANGUAGES
from bulkrunner.adapters.reports.write import FORMATS, json_report, write_report

__all__ = ["FORMATS", "LANGUAGES", "json_report", "write_report"]
