"""Reports as files: HTML to read, JSON and CSV to work with."""

from bulkrunner.adapters.reports.wording import LANGUAGES
from bulkrunner.adapters.reports.writing import FORMATS, write_report

__all__ = ["FORMATS", "LANGUAGES", "write_report"]
