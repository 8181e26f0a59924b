"""Hook of MkDocs: pages of the site that lie elsewhere in the repository, the notebooks above all."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"CHANGELOG.md": "changelog.md", "notebooks/data/README.md": "tutorials/data/README.md"}
SHOWN = Config(NbConvertBase={"display_data_priority": ["text/html", "image/png", "text/plain"]})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them; called by MkDocs once it has found what lies in docs/."""
    for origin, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / origin).read_text(encoding="utf-8")))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, content in convert(notebook).items():
            files.append(File.generated(config, f"tutorials/{name}", content=content))
    return files


def convert(notebook: Path) -> dict[str, str | bytes]:
    """A notebook's page and pictures, by their names in the folder of tutorials."""
    names = {"output_files_dir": f"{notebook.stem}_files", "unique_key": notebook.stem}
    page, found = MarkdownExporter(config=SHOWN).from_filename(str(notebook), resources=names)
    return {f"{notebook.stem}.md": page.replace(".ipynb)", ".md)")} | found["outputs"]
