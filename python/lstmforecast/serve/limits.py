"""Limits on requests, so that none can exhaust the server, and the error for requests that exceed them."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

# Larger values leave too few digits in single precision, and their squares come near its largest number.
LARGEST_VALUE = 1e15
# Bytes of an error message, in UTF-8: an error stays below a kilobyte.
_LONGEST_SENTENCE = 700


@dataclass(frozen=True)
class Limits:
    """Limits on requests to a server.

    Parameters
    ----------
    body_bytes : int, default=4_194_304
        Bytes in the body of a request; more is answered with 413.
    windows : int, default=1024
        Windows in a request; more is answered with 422.
    horizon : int, default=1000
        Steps ahead. A model that was trained for more forecasts only so many.
    waiting : int, default=256
        Requests in the queue of the network; one more is answered with 503 and ``Retry-After``.
    batch : int, default=256
        Windows of several requests in one call of the network.
    numbers : int, default=2_000_000
        Numbers in an answer: windows times steps times variables, times one and two for each coverage; more is answered
        with 422.
    header_bytes : int, default=32_768
        Bytes of request line and headers together; more is answered with 431, as are more than 100 headers.
    seconds : int, default=30
        Time for a request to arrive, else it is answered with 408, and for the client to read the answer.
    connections : int, default=512
        Open connections. For one more, the server closes the one whose client it has waited for the longest; if there
        is none, the new one is answered with 503.

    Notes
    -----
    Only ``lstmforecast serve`` applies the last three: an application can't limit what the server around it reads.

    Raises
    ------
    ValueError
        If a limit is not a whole number from 1.

    Examples
    --------
    >>> Limits(windows=64, waiting=32).windows
    64
    """

    body_bytes: int = 4 * 2**20
    windows: int = 1024
    horizon: int = 1000
    waiting: int = 256
    batch: int = 256
    numbers: int = 2_000_000
    header_bytes: int = 2**15
    seconds: int = 30
    connections: int = 512

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"expected {name} to be a whole number from 1, got {value!r}")


class Refused(Exception):
    """The error that a request is answered with.

    Parameters
    ----------
    status : int
        HTTP status.
    sentence : str
        The message for the client.
    headers : dict of str to str, optional
        Headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}

    @property
    def body(self) -> bytes:
        """The body of the answer, JSON."""
        words = self.sentence.encode("utf-8", "replace")[:_LONGEST_SENTENCE].decode("utf-8", "ignore")
        return orjson.dumps({"detail": words})


def too_large(most: int) -> Refused:
    """The error for a body of more than ``most`` bytes."""
    # else the rest of the body would be read as the next request
    return Refused(413, f"expected a body of at most {most} bytes, got more", {"connection": "close"})
