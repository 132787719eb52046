"""One job whose records, lists and manifest would like to be more than text, through every form.

Whatever a form is for, the texts come out as texts: nothing runs, nothing is calculated, nothing
leads elsewhere, and no character moves or hides what stands around it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from python_calamine import CalamineWorkbook

from tests.browser.conftest import Opener
from tests.support.cli import Done, Workplace
from tests.support.pages import Page
from tests.support.sandbox import running_sandbox

BASE = "https://libris.kb.se/"
LIBRARY = f"{BASE}library/"

SCRIPT = "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
TEXTS = {
    "script": SCRIPT,
    "terminal": "\x1b[2J\x1b]0;ägd\x07\x1b[31mfel\x9b1m",
    "formula": '=HYPERLINK("https://evil.example.org","Klicka")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "turned": "\u202egnp.exe\u202c\u2066עברית\u2069",
    "closing": "]]></script></style></textarea>--><!-- x",
    "entity": "&lt;b&gt; &#60;script&#62; &amp;",
    "template": "{{ 7*7 }} {% raw %} ${7*7} {0}",
    "markdown": "# rubrik [klicka](javascript:alert(1)) ![x](https://evil.example.org/x) `kod` | a\n- b",
    "html": "<details><summary>x</summary></details> <a href='javascript:x'>y</a>",
    "control": "a\x00b\x01c\x08d\x7fe\x85f",
    "invisible": "a\u200bb\ufeffc\u2028d\u3164e\U000e0041f",
    "sheet": "_x0041_ \x0b \ufffe",
    "javascript": "javascript:alert(1)",
    "unbroken": "W" * 5000,
    "surrogate": "halv \ud800 och \udc00",
}
LONG = "Lång text utan slut. " * 5000
COMPONENTS = 400
WIDTH = 1280
TITLE = 200
"""Characters of a title that are compared; summaries are cut."""


def storable(text: str) -> str:
    """The same without what no catalogue stores: NUL and half character pairs."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def record(name: str, thing: dict[str, Any]) -> dict[str, Any]:
    iri = BASE + name
    head = {
        "@id": iri,
        "@type": "Record",
        "controlNumber": name,
        "created": "2019-03-01T10:00:00.000+01:00",
        "modified": "2019-03-01T10:00:00.000+01:00",
        "mainEntity": {"@id": f"{iri}#it"},
        "descriptionCreator": {"@id": f"{LIBRARY}S"},
        "descriptionLastModifier": {"@id": f"{LIBRARY}S"},
    }
    return {"@graph": [head, {"@id": f"{iri}#it", **thing}]}


def spelled(letter: str, number: int) -> str:
    return f"{letter}{number:03}".ljust(15, "0")


def documents() -> Iterator[dict[str, Any]]:
    """A bib and a holding for each text, one of which holds all of them, and much more."""
    held = {"@id": f"{LIBRARY}Ylm"}
    texts = [storable(text) for text in TEXTS.values()]
    for number, text in enumerate(texts):
        bib, title = spelled("b", number), {"@type": "Title", "mainTitle": text}
        author = {
            "@type": "PrimaryContribution",
            "agent": {"@type": "Person", "familyName": text, "givenName": text},
        }
        yield record(
            bib,
            {
                "@type": "Instance",
                "hasTitle": [title],
                "publication": [{"@type": "PrimaryPublication", "year": text[:30]}],
                "instanceOf": {"@type": "Text", "contribution": [author]},
            },
        )
        notes: list[Any] = [{"@type": "Note", "label": text}]
        item: dict[str, Any] = {"hasNote": notes, "cataloguersNote": [text], "shelfLabel": text}
        if number == 0:
            notes += [{"@type": "Note", "label": one} for one in texts]
            item["physicalLocation"] = [LONG]
            item["hasComponent"] = [
                {"@type": "Item", "heldBy": held, "shelfLabel": text, "copyNumber": str(n)}
                for n in range(COMPONENTS)
            ]
        of = {"@id": f"{BASE}{bib}#it"}
        yield record(spelled("h", number), {"@type": "Item", "heldBy": held, "itemOf": of, **item})


JOB: dict[str, Any] = {
    "title": SCRIPT,
    "purpose": f"{TEXTS['terminal']} {TEXTS['turned']} {TEXTS['markdown']} {LONG[:15_000]}",
    "agreement": {"reference": TEXTS["formula"], "contact": TEXTS["html"]},
    "parameters": {"text": {"type": "text", "default": TEXTS["closing"]}},
    "accept": [
        {"code": code, "at_most": 99, "reason": TEXTS["closing"]}
        for code in ("unreadable_id", "cell_error", "control_character", "empty_key")
    ],
}


def manifest(value: Any) -> Any:
    """The same without the control characters that a manifest may not have."""
    if isinstance(value, dict):
        return {key: manifest(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [manifest(inner) for inner in value]
    if isinstance(value, str):
        kept = (
            char for char in storable(value) if unicodedata.category(char) != "Cc" or char == "\n"
        )
        return "".join(kept)
    return value


class Hostile:
    """The job after its road: planned, tried, approved and run, with a refusal by the server."""

    def __init__(self, folder: Path, place: Workplace) -> None:
        self.place = place
        self.folder = folder
        self.said: list[Done] = []
        count = len(TEXTS)
        ids = [spelled("h", n) for n in range(count)]
        lines = [storable(text).replace("\n", " ") for text in TEXTS.values()]
        self.job = place.job(
            "hostile",
            files={
                "delete.txt": "\n".join([ids[0], ids[0], *lines]),
                "change.txt": "\n".join(ids[1:]),
            },
            steps=[
                {"name": SCRIPT, "ids": "delete.txt", "delete": True},
                {
                    "name": TEXTS["formula"],
                    "ids": "change.txt",
                    "set": {"at": "shelfLabel", "to": {"$text": "Ny {@param.text}"}},
                },
            ],
            **manifest(JOB),
        )
        self.tell("check", self.job, "--explain")
        self.tell("plan", self.job, "--env", "staging")
        self.tell("run", self.job, "--env", "staging", expect=None)
        self.plan = str(self.tell("plan", self.job, "--env", "production").document["plan"])
        self.tell("approve", self.plan, "--by", TEXTS["terminal"], "--reference", TEXTS["formula"])
        words = json.dumps({"message": "Invalid: " + "".join(TEXTS.values())})
        place.sandbox.production.fault("status", status=400, path=ids[3], method="PUT", body=words)
        place.sandbox.production.edit(ids[4], sigel="S", set={"shelfLabel": "annat"})
        done = self.tell("run", self.job, "--env", "production", expect=None)
        self.run = str(done.document["run"])
        self.tell("status", self.run)
        self.tell("status", self.plan)
        self.tell("verify", self.run, expect=None)
        self.other = str(self.tell("plan", self.job, "--env", "production").document["plan"])

    def tell(self, *arguments: Any, expect: int | None = 0) -> Done:
        done = self.place(*arguments, expect=expect)
        self.said.append(done)
        return done

    def report(self, what: str, form: str, **options: str) -> Path:
        path = self.folder / f"{what}.{form}"
        given = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.tell("report", what, "--format", form, "--out", path, *given)
        return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    folder = tmp_path_factory.mktemp("hostile")
    load = folder / "records.jsonl"
    load.write_text("\n".join(json.dumps(one) for one in documents()), encoding="utf-8")
    with running_sandbox(load=load) as sandbox:
        yield Hostile(folder, Workplace(folder=folder / "place", sandbox=sandbox))


def unseen(text: str, *, kept: str = "\n") -> list[str]:
    """Characters that a reader does not see, or that move what he sees."""
    return sorted(
        {
            f"U+{ord(char):04X}"
            for char in text
            if char not in kept
            and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        }
    )


@pytest.fixture(params=["plan", "run"])
def what(request: pytest.FixtureRequest, hostile: Hostile) -> str:
    return str(getattr(hostile, request.param))


# --- the page ------------------------------------------------------------------------------------


def safe_page(source: str) -> None:
    page = Page(source)
    assert unseen(source, kept="\n\t") == []
    tags = {node.tag for node in page.nodes}
    assert not {"img", "iframe", "object", "embed", "form", "link", "base"} & tags
    for node in page.nodes:
        assert not [name for name in node.attributes if name.startswith("on")]
        href = node.attributes.get("href", "#")
        assert href.startswith("#") or urlsplit(href).hostname in ("127.0.0.1", "localhost"), href
    assert all(
        not node.attributes or set(node.attributes) <= {"type", "class", "data-size", "id"}
        for node in page.all("script")
    )
    assert source.count("</script>") == len(page.all("script"))
    assert SCRIPT in page.all("h1")[0].text


def test_the_page(hostile: Hostile, what: str) -> None:
    source = hostile.report(what, "html").read_text("utf-8")
    safe_page(source)
    page = Page(source, "sv")
    assert "med uppgifter om" not in page.section("patterns").text
    row = page.row(1)
    places = {line[0].partition(".")[0] for line in row["lines"]}
    assert {"physicalLocation", "hasNote", "hasComponent", "shelfLabel"} <= places
    assert row["more"] > 3 * COMPONENTS - 200
    (long,) = (line[2] for line in row["lines"] if line[0] == "physicalLocation")
    assert (len(long[0]), long[0][:10], long[1]) == (2000, LONG[:10], len(LONG) - 2000)


def test_the_zip(hostile: Hostile, what: str) -> None:
    with zipfile.ZipFile(hostile.report(what, "zip")) as archive:
        (name,) = archive.namelist()
        assert name == f"{what}.html"
        safe_page(archive.read(name).decode("utf-8"))


@pytest.mark.parametrize("script", [True, False])
def test_in_a_browser(hostile: Hostile, what: str, open_report: Opener, script: bool) -> None:
    path = hostile.report(what, "html")
    size = {"width": WIDTH, "height": 800}
    opened = open_report(path, java_script_enabled=script, ready=script, viewport=size)
    page = opened.page
    text = page.locator("main").inner_text()
    assert unseen(text, kept="\n\t") == []
    assert SCRIPT in text
    assert TEXTS["formula"] in text
    assert "⟨U+202E⟩gnp.exe⟨U+202C⟩" in text
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    if script:
        for toggle in page.locator(".toggle").all()[:6]:
            toggle.click()
        page.locator(".item.open .detail").first.wait_for()
        assert page.evaluate("window.hacked") is None
    assert opened.complaints == []
    assert opened.requests == [path.as_uri()]


# --- tables --------------------------------------------------------------------------------------


def test_the_workbook(hostile: Hostile, what: str) -> None:
    path = hostile.report(what, "xlsx")
    links = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            tree = ET.fromstring(archive.read(name))
            assert not [node for node in tree.iter() if node.tag.endswith("}f")], name
            links += [
                node.attrib["Target"]
                for node in tree.iter()
                if node.attrib.get("TargetMode") == "External"
            ]
    assert links
    assert {urlsplit(link).hostname for link in links} == {"127.0.0.1"}
    cells = [
        cell
        for sheet in CalamineWorkbook.from_path(path).sheet_names
        for row in CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python()
        for cell in row
        if isinstance(cell, str)
    ]
    assert [cell for cell in cells if unseen(cell, kept="\n\t")] == []
    assert TEXTS["script"] in cells
    assert TEXTS["formula"] in cells
    assert TEXTS["minus"] in cells
    assert "⟨U+001B⟩[2J" in "".join(cells)
    assert any("_x0041_" in cell for cell in cells)


def test_the_csv(hostile: Hostile, what: str) -> None:
    text = hostile.report(what, "csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if unseen(cell, kept="\n\t")] == []
    assert [cell for cell in cells if cell.lstrip(" ").startswith(tuple("=+-@\t\r＝"))] == []
    assert f"'{TEXTS['formula']}" in cells
    assert f"'{TEXTS['plus']}" in cells
    assert SCRIPT in cells
    assert {len(row) for row in rows} == {len(rows[0])}


# --- data ----------------------------------------------------------------------------------------


def titles(changes: list[dict[str, Any]]) -> set[str]:
    return {change["bib"]["title"][:TITLE] for change in changes if change.get("bib")}


def whole(text: str) -> str:
    """A title as the catalogue's summary has it."""
    return storable(text).strip()[:TITLE]


def test_the_json(hostile: Hostile, what: str) -> None:
    raw = hostile.report(what, "json").read_bytes()
    document = json.loads(raw.decode("utf-8"))
    assert {whole(text) for text in TEXTS.values()} <= titles(document["changes"])
    first = next(one for one in document["changes"] if one["record"] == spelled("h", 0))
    assert len(first["before"]["@graph"][1]["hasComponent"]) == COMPONENTS
    assert first["before"]["@graph"][1]["physicalLocation"] == [
        LONG.strip()
    ] or LONG.strip() in str(first["before"])
    assert unseen(raw.decode("utf-8")) == []


def test_the_json_lines(hostile: Hostile, what: str) -> None:
    raw = hostile.report(what, "jsonl").read_bytes()
    lines = [json.loads(line) for line in raw.split(b"\n") if line]
    assert {whole(text) for text in TEXTS.values()} <= titles(lines)
    assert unseen(raw.decode("utf-8")) == []


# --- texts ---------------------------------------------------------------------------------------


def outside_code(text: str) -> str:
    return re.sub(r"(`+).*?\1", "", text)


def safe_markdown(text: str) -> None:
    assert unseen(text) == []
    bare = outside_code(text)
    assert not re.search(r"(?<!\\)<", bare)
    targets = re.findall(r"(?<!\\)\]\(([^)]*)\)", bare)
    assert {urlsplit(target).hostname for target in targets} <= {"127.0.0.1"}
    assert not re.search(r"(?<!\\)!\[", bare)
    assert "javascript:alert" not in re.sub(r"\\.", "", " ".join(targets))


def test_the_markdown(hostile: Hostile, what: str) -> None:
    for lang in ("sv", "en"):
        safe_markdown(hostile.report(what, "md", lang=lang).read_text("utf-8"))


@pytest.mark.parametrize("form", ["md", "json"])
def test_the_difference_of_two_plans(hostile: Hostile, form: str) -> None:
    path = hostile.folder / f"diff.{form}"
    hostile.tell("report", "--diff", hostile.plan, hostile.other, "--format", form, "--out", path)
    text = path.read_text("utf-8")
    if form == "md":
        safe_markdown(text)
    else:
        json.loads(text)


def test_the_answer_by_mail_is_read_back(hostile: Hostile) -> None:
    document = json.loads(hostile.report(hostile.other, "json").read_text("utf-8"))
    text = document["answer_text"]
    assert unseen(text) == []
    assert len(text.splitlines()) < 40
    filled = re.sub(r"(?m)^Namn:.*$", "Namn: Karin Ek", text)
    filled = re.sub(r"(?m)^Ärendenummer:.*$", "Ärendenummer: KB 7", filled)
    mail = hostile.folder / "mail.txt"
    mail.write_text("> " + filled.replace("\n", "\n> "), encoding="utf-8")
    done = hostile.tell("approve", hostile.other, "--from", mail)
    assert done.document["by"] == "Karin Ek"


def test_the_terminal(hostile: Hostile) -> None:
    for what in (hostile.plan, hostile.run):
        hostile.tell("status", what)
    for done in hostile.said:
        assert unseen(done.stderr) == [], done.stderr
    assert r"\x1b[2J" in "".join(done.stderr for done in hostile.said)
