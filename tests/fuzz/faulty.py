"""A target with everything that the fuzzer is to see, by the first byte of an input."""

import os
import time


def seeds() -> list[bytes]:
    """One input of each fault, and two of none."""
    return [bytes([i]) for i in range(6)]


def run_one(data: bytes) -> str | None:
    """Fail, or don't."""
    match data[0]:
        case 0:
            os.abort()
        case 1:
            time.sleep(60)
        case 2:
            bytearray(8 * 2**30)
        case 3:
            raise AssertionError("a finding")
        case 4:
            return "refused"
    return None
