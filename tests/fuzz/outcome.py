"""What a refusal must look like."""

import re

MOST_WORDS, MOST_ECHOED = 500, 100
# Words of other libraries, and of failures that nobody foresaw.
_FOREIGN = (
    "Traceback",
    "panicked",
    "a bug in lstmforecast",
    "unwrap",
    "index out of bounds",
    "libtorch",
    "object at 0x",
)


def check_message(text: str) -> None:
    """An AssertionError unless it is one sentence that names what was expected, and echoes nothing long."""
    assert text, "no message"
    assert len(text) < MOST_WORDS, f"a message of {len(text)} characters: {text[:200]}"
    assert "\n" not in text.strip(), f"a message of several lines: {text[:200]!r}"
    found = [word for word in _FOREIGN if word in text]
    assert not found, f"a message with {found}: {text[:200]}"
    longest = max(map(len, re.split(r"[ \n]", text)), default=0)
    assert longest <= MOST_ECHOED, f"a message with a word of {longest} characters: {text[:200]}"
