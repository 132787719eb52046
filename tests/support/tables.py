"""Makes spreadsheets and text tables for tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import xlsxwriter

from bulkrunner.adapters.tables import Row

ODS_NAMES = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("number", "datastyle"),
    )
)
ODS_HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{ODS_NAMES}'
    ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
)
ODS_BODY = "<office:body><office:spreadsheet>"
ODS_END = "</office:spreadsheet></office:body></office:document-content>"


def xlsx(rows: Iterable[Sequence[Any]], *, sheet: str = "Blad1", more: Sequence[str] = ()) -> bytes:
    """A spreadsheet with one sheet of these rows; ``more`` are further, empty sheets."""
    return xlsx_of(lambda book: _fill(book, rows, sheet, more))


def xlsx_of(write: Callable[[Any], None]) -> bytes:
    """A spreadsheet that ``write`` fills."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "constant_memory": False}) as book:
        write(book)
    return out.getvalue()


def _fill(book: Any, rows: Iterable[Sequence[Any]], sheet: str, more: Sequence[str]) -> None:
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    for name in more:
        book.add_worksheet(name)


def repacked(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The packed file with some parts changed; None leaves a part out."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            content = change(part.filename, old.read(part))
            if content is not None:
                new.writestr(part.filename, content)
    return out.getvalue()


def ods(tables: str, *, styles: str = "") -> bytes:
    """A spreadsheet in ODS with these styles and tables."""
    automatic = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("content.xml", ODS_HEAD + automatic + ODS_BODY + tables + ODS_END)
        packed.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest'
            ' xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return out.getvalue()


def ods_sheet(
    rows: Iterable[Sequence[str]],
    *,
    name: str = "Blad1",
    head: str = "",
    tail: str = "",
    attributes: str = "",
) -> str:
    """One table of text cells, for ``ods``."""
    cells = "".join(ods_row(*map(ods_cell, row)) for row in rows)
    return f'<table:table table:name="{name}"{attributes}>{head}{cells}{tail}</table:table>'


def ods_row(*cells: str, attributes: str = "") -> str:
    """One row of cells."""
    return f"<table:table-row{attributes}>{''.join(cells)}</table:table-row>"


def ods_cell(text: str) -> str:
    """One cell that holds a text."""
    return (
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
    )


def ods_style(
    kind: str, inner: str, *, name: str = "N1", cell: str = "ce1", truncate: str = "true"
) -> str:
    """A number style, and the style of a cell that has it."""
    return (
        f'<number:{kind}-style style:name="{name}" number:truncate-on-overflow="{truncate}">'
        f"{inner}</number:{kind}-style>"
        f'<style:style style:name="{cell}" style:family="table-cell"'
        f' style:data-style-name="{name}"/>'
    )


def code_of(row: Row) -> str:
    """Why a row is not used; empty where it is."""
    return row.fault.code if row.fault else row.left_out


def message_of(row: Row) -> str:
    """What is wrong with a row."""
    return row.fault.said if row.fault else ""


def column_of(row: Row) -> int:
    """The column of its cell that is wrong."""
    return row.fault.source.column if row.fault else 0
