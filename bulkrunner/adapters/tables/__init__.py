"""Tables as people hand them in: text with separators, XLSX, ODS; a row at a time.

Nothing in a file is ever executed: a formula counts as the value that was stored with it.
"""

from bulkrunner.adapters.tables.table import Facts, Form, Row, Table, open_table

__all__ = ["Facts", "Form", "Row", "Table", "open_table"]
