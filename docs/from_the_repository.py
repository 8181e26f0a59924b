"""Hook of MkDocs: pages of the site that lie elsewhere in the repository, the notebooks above all."""

import json
import math
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "LICENSE",
    "notebooks/data/README.md": "tutorials/data/README.md",
}
# Links of the pages at the repository's root, as the site has them.
LINKS = [
    (r"\]\(docs/", "]("),
    (r"\]\(notebooks/(\w+)\.ipynb\)", r"](tutorials/\1.md)"),
    (r"\]\(notebooks/data/", "](tutorials/data/"),
    (r"\]\((README|CHANGELOG|CONTRIBUTING)\.md\)", lambda name: f"]({PAGES[name[1] + '.md']})"),
]
MEASURED = ["target/bench.json", "target/accuracy.json"]
SHOWN = Config(NbConvertBase={"display_data_priority": ["text/html", "image/png", "text/plain"]})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them; called by MkDocs once it has found what lies in docs/."""
    pages: dict[str, str | bytes] = {uri: moved(origin) for origin, uri in PAGES.items()}
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        pages |= converted(notebook)
    if tables := [tables_of(ROOT / path) for path in MEASURED if (ROOT / path).exists()]:
        pages["measured.md"] = "\n".join(["# Measured on this machine\n", *tables])
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files


def moved(origin: str) -> str:
    """A page's text, with links to where things lie in the site."""
    text = (ROOT / origin).read_text(encoding="utf-8")
    if "/" not in origin:
        for link, target in LINKS:
            text = re.sub(link, target, text)
    return text


def converted(notebook: Path) -> dict[str, str | bytes]:
    """A notebook's page and pictures."""
    names = {"output_files_dir": f"{notebook.stem}_files", "unique_key": notebook.stem}
    page, found = MarkdownExporter(config=SHOWN).from_filename(str(notebook), resources=names)
    page = page.replace(".ipynb)", ".md)").replace("](../docs/", "](../").replace("](../README.md", "](../index.md")
    return {
        f"tutorials/{name}": content for name, content in ({f"{notebook.stem}.md": page} | found["outputs"]).items()
    }


def tables_of(path: Path) -> str:
    """What `make bench` or `make accuracy` has kept, as Markdown."""
    measured = json.loads(path.read_text(encoding="utf-8"))
    parts = [f"`make {path.stem}` on {measured['machine']['processor']}, {measured['machine']['cores']} cores.\n"]
    for table in measured["tables"]:
        columns = list(table["rows"][0])
        lines = [columns, ["---"] * len(columns)]
        lines += [[figure(row.get(column)) for column in columns] for row in table["rows"]]
        parts += [f"## {table['title']}\n", f"{table['note']}\n", *(f"| {' | '.join(line)} |" for line in lines), ""]
    return "\n".join(parts)


def figure(value: object) -> str:
    """Three figures that count."""
    if not isinstance(value, float):
        return "" if value is None else str(value).replace("|", "\\|")
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
