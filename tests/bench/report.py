"""Tables of measurements: as text for people, as JSON for programs."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

PACKAGES = ("lstmforecast", "torch", "numpy", "onnxruntime")


@dataclass(frozen=True)
class Table:
    """Rows under one title; the note says how they were measured."""

    title: str
    note: str
    rows: list[dict[str, Any]]

    def __str__(self) -> str:
        """The table as people read it."""
        frame = pd.DataFrame(self.rows)
        text = frame.to_string(index=False, float_format=_number, na_rep="-")
        return f"{self.title}\n{self.note}\n\n{text}\n"


def _number(value: float) -> str:
    """Three figures that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """Where the figures were measured."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"processor": names[0] if names else platform.processor(), "cores": len(names), "versions": versions}


def write_json(path: Path, tables: list[Table]) -> None:
    """Write machine and tables to a file."""
    content = {"machine": machine(), "tables": [vars(table) for table in tables]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, default=float))
