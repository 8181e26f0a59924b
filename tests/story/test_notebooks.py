"""Every notebook runs from the top, in the folder it lies in."""

import ast
from pathlib import Path

import nbclient
import nbformat
import pytest

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()


@pytest.mark.parametrize("name", ["retail", "energy"])
def test_a_whole_job_takes_25_statements(name: str) -> None:
    """All statements but those of the cell that makes the data, nested ones too."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.metadata.get("tags", []) for cell in code].count(["data"]) == 1
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    typed = [compile(cell.source, name, "exec", flags) for cell in code if not cell.metadata.get("tags")]
    assert sum(isinstance(node, ast.stmt) for tree in typed for node in ast.walk(tree)) <= 25
