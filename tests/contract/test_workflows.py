"""The workflows of .github/: they can't run here, but what can be said without running them is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^\.PHONY: ([a-z-]+)  ##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def read(path: Path) -> dict[str, Any]:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    # `on` is true in YAML 1.1, which GitHub doesn't speak
    workflow["on"] = workflow.pop(True)
    return workflow


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def test_there_is_one_for_each_purpose() -> None:
    assert {path.stem for path in WORKFLOWS} == {"ci", "docs", "release", "wheels"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_it_may_do_no_more_than_it_must(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    jobs = workflow["jobs"].values()
    assert all("timeout-minutes" in job for job in jobs if "uses" not in job)
    needed = {name for job in jobs for name in job.get("needs", "").split()}
    assert needed <= set(workflow["jobs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    for step in steps(read(path)):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step["uses"]), step["uses"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_its_commands_exist(path: Path) -> None:
    for step in steps(read(path)):
        command = step.get("run", "")
        assert set(re.findall(r"\bmake ([a-z-]+)", command)) <= TARGETS
        scripts = re.findall(r"(?:^|\s)(\.ci/[\w.]+)", command)
        assert all((ROOT / script).is_file() for script in scripts), scripts


def test_every_python_of_the_project_is_tried() -> None:
    tried = read(ROOT / ".github/workflows/ci.yml")["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert tried == named


def test_the_torch_wheel_is_built_against_the_torch_of_its_build_system() -> None:
    text = (ROOT / ".github/workflows/wheels.yml").read_text()
    project = (ROOT / "lstmforecast-torch" / "pyproject.toml").read_text()
    requires = re.search(r"^requires = \[(.*)\]$", project, flags=re.MULTILINE)
    assert requires
    assert set(re.findall(r'"((?:torch|numpy)[^"]*)"', text)) == {
        each for each in re.findall(r'"([^"]*)"', requires[1]) if not each.startswith("maturin")
    }
