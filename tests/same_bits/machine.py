"""What decides, beside the source, in which order numbers are added: the processor, as libraries see it."""

import os
from pathlib import Path

from numpy._core._multiarray_umath import __cpu_features__ as features

_LEVELS = ("AVX512_CLX", "AVX512_SKX", "AVX2", "ASIMD")


def machine() -> str:
    """Maker, family, model and vector instructions of this processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()] if cpuinfo.exists() else []
    told = {name.strip(): value.strip() for name, _, value in lines}
    widest = next((level for level in _LEVELS if features.get(level)), "scalar")
    level = os.environ.get("LSTMFORECAST_SIMD") or widest
    return " ".join([*(told.get(name, "unknown") for name in ("vendor_id", "cpu family", "model")), level])
