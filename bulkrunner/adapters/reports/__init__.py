"""Reports as files: HTML to read, JSON and CSV to work with."""

from bulkrunner.adapters.reports.writing import FORMATS, LANGUAGES, write_report

__all__ = ["FORMATS", "LANGUAGES", "write_report"]
