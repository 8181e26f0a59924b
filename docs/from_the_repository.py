"""MkDocs hook: adds files outside docs/ to the site, such as README and the notebooks.

Pages link to the paths in the repository, so that links work there too. The hook changes them to the paths in the site.
"""

import json
import math
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Files outside docs/, and their paths in the site.
PLACES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "LICENSE",
    "notebooks/data/README.md": "tutorials/data/README.md",
} | {f"notebooks/{path.name}": f"tutorials/{path.stem}.md" for path in NOTEBOOKS}
ORIGINS = {uri: origin for origin, uri in PLACES.items()}
LINK = re.compile(r"\]\(([^):#\s]+)(#[^)\s]*)?\)")
MEASURED = ["target/bench.json", "target/accuracy.json"]
SHOWN = Config(NbConvertBase={"display_data_priority": ["text/html", "image/png", "text/plain"]})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/; MkDocs calls this after it has listed docs/."""
    pages: dict[str, str | bytes] = {}
    for origin, uri in PLACES.items():
        pages |= converted(ROOT / origin) if origin.endswith(".ipynb") else {uri: (ROOT / origin).read_text("utf-8")}
    if tables := [tables_of(ROOT / path) for path in MEASURED if (ROOT / path).exists()]:
        pages["measured.md"] = "\n".join(["# Measured on this machine\n", *tables])
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Change links to paths in the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(ORIGINS.get(here, f"docs/{here}"))

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        uri = PLACES.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
        if uri is None:
            return link[0]
        return f"]({posixpath.relpath(uri, posixpath.dirname(here))}{link[2] or ''})"

    return LINK.sub(moved, markdown)


def converted(notebook: Path) -> dict[str, str | bytes]:
    """A notebook as a page and its images."""
    names = {"output_files_dir": f"{notebook.stem}_files", "unique_key": notebook.stem}
    page, found = MarkdownExporter(config=SHOWN).from_filename(str(notebook), resources=names)
    return {
        f"tutorials/{name}": content for name, content in ({f"{notebook.stem}.md": page} | found["outputs"]).items()
    }


def tables_of(path: Path) -> str:
    """The saved results of `make bench` or `make accuracy`, as Markdown."""
    measured = json.loads(path.read_text(encoding="utf-8"))
    parts = [f"`make {path.stem}` on {measured['machine']['processor']}, {measured['machine']['cores']} cores.\n"]
    for table in measured["tables"]:
        columns = list(table["rows"][0])
        lines = [columns, ["---"] * len(columns)]
        lines += [[figure(row.get(column)) for column in columns] for row in table["rows"]]
        parts += [f"## {table['title']}\n", f"{table['note']}\n", *(f"| {' | '.join(line)} |" for line in lines), ""]
    return "\n".join(parts)


def figure(value: object) -> str:
    """A value with three significant digits."""
    if not isinstance(value, float):
        return "" if value is None else str(value).replace("|", "\\|")
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
