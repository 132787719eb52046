"""The map of modules in docs/contributing.md: ``python -m tests.project.house_map`` writes it anew."""

import ast
from itertools import groupby
from pathlib import Path

from tests.support.paths import ROOT

PACKAGE = ROOT / "bulkrunner"
PAGE = ROOT / "docs" / "contributing.md"
BEGIN, END = "<!-- map -->\n", "<!-- end of map -->\n"


def line_of(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def rows() -> list[tuple[str, str, str]]:
    """Folder, module and what it says of itself; a package stands for its own ``__init__``."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda path: (path.parent.parts, path.name)):
        name = path.relative_to(PACKAGE)
        folder = name.parent.as_posix() if name.parent.parts else ""
        if said := line_of(path):
            found.append((folder, "" if path.stem == "__init__" else path.stem, said))
    return found


def drawn() -> str:
    parts = []
    for folder, group in groupby(rows(), key=lambda row: row[0]):
        lines = list(group)
        own = "".join(said for _, module, said in lines if not module)
        parts.append(f"### {folder or 'bulkrunner'}\n{own}\n\n| module | holds |\n|---|---|")
        parts += [
            f"| `{module}` | {said.replace('|', '∣')} |" for _, module, said in lines if module
        ]
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n{drawn()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
