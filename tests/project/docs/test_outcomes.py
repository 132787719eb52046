"""The page about the server's check tables says what its tests show, and leaves no row out."""

from tests.contract.checks.never import NEVER, NUMBERS
from tests.contract.checks.rows import ROWS
from tests.support.docs import in_code, page, sections, table_rows

TITLES = {
    "token": "The token",
    "rights": "Rights",
    "POST": "Creating: POST",
    "PUT": "Updating: PUT",
    "DELETE": "Deleting: DELETE",
}
REASON = "never: "


def shown():
    """Each line of the tables: (table, number, how a run meets it) and the last three cells."""
    parts = sections(page("reference/outcomes.md"), f"({'|'.join(TITLES.values())})")
    for table, title in TITLES.items():
        for number, _check, _answer, case, *cells in table_rows(parts[title].split("\n## ")[0]):
            yield (table, number, case), cells


def cells_of(row):
    if row.outcome is None:
        outcome = f"`pending`, exit {row.exit_code}"
    else:
        outcome = f"`{row.outcome.value}`"
    return [outcome, f"`{row.code}`" if row.code else "–", f"`{row.words}`" if row.words else "–"]


def test_every_row_that_a_run_meets_is_told_as_its_test_shows_it():
    met = {key: cells for key, cells in shown() if not key[2].startswith(REASON)}
    assert met == {(row.table, row.number, row.case): cells_of(row) for row in ROWS.all}


def test_every_row_that_a_run_cannot_meet_says_why():
    said = {key[:2]: key[2].removeprefix(REASON) for key, _ in shown() if key[2].startswith(REASON)}
    assert said == NEVER


def test_no_row_is_left_out_and_none_is_both():
    met = {(row.table, row.number) for row in ROWS.all}
    wanted = {(table, str(number)) for table, numbers in NUMBERS.items() for number in numbers}
    assert met | set(NEVER) == wanted
    assert not met & set(NEVER)
    assert len({row.id for row in ROWS.all}) == len(ROWS.all)


def test_codes_are_explained():
    codes = {row.code for row in ROWS.all if row.code}
    told = set(in_code(page("how-to/read-refusals.md") + page("reference/exit-codes.md")))
    assert codes <= told
