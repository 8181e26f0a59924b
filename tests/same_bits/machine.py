"""What decides, beside the source, in which order numbers are added: the processor, as libraries see it."""

from pathlib import Path

from numpy._core._multiarray_umath import __cpu_features__ as features

_LEVELS = ("AVX512_CLX", "AVX512_SKX", "AVX2", "ASIMD")


def machine() -> str:
    """Maker and vector instructions of this processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    maker = next((line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), "unknown")
    return f"{maker} {next((level for level in _LEVELS if features.get(level)), 'scalar')}"
