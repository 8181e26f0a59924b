"""What a server takes at the most, so that no request can exhaust it, and how it says that it doesn't."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

# Beyond, single precision has no digits left for what stands beside it, and squares come near its end.
LARGEST_VALUE = 1e15
# Of a sentence that says what is wrong, in UTF-8: an error stays below a kilobyte.
_LONGEST_SENTENCE = 700


@dataclass(frozen=True)
class Limits:
    """What a server takes at the most.

    Parameters
    ----------
    body_bytes : int, default=4_194_304
        Of a request; more is answered with 413.
    windows : int, default=1024
        In one request; more is answered with 422.
    horizon : int, default=1000
        Steps that are forecast; a model that was trained for more forecasts as many as that.
    waiting : int, default=256
        Requests that wait for the network; the next is answered with 503 and ``Retry-After``.
    batch : int, default=256
        Windows of several requests that are brought together for one call of the network.
    numbers : int, default=2_000_000
        In one answer: windows, times steps, times variables, times one and two for each coverage; more is answered with
        422.
    header_bytes : int, default=32_768
        Of a request line and headers together; more is answered with 431, as are more than 100 headers.
    seconds : int, default=30
        For a request to arrive, else it is answered with 408, and for its answer to be taken.
    connections : int, default=512
        At the same time. For one more, the connection is closed that has kept the server waiting for the longest; if
        there is none, the new one is answered with 503.

    Notes
    -----
    The last three are kept by ``lstmforecast serve``: an application has no say in what its server reads.

    Raises
    ------
    ValueError
        For anything but whole numbers from 1.

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
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        Of HTTP.
    sentence : str
        What the client reads.
    headers : dict of str to str, optional
        That go with it.
    """

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}

    @property
    def body(self) -> bytes:
        """What the client reads, as JSON."""
        words = self.sentence.encode("utf-8", "replace")[:_LONGEST_SENTENCE].decode("utf-8", "ignore")
        return orjson.dumps({"detail": words})


def too_large(most: int) -> Refused:
    """What a body of more bytes is answered with."""
    # what is left of it would be read as the next request
    return Refused(413, f"expected a body of at most {most} bytes, got more", {"connection": "close"})
