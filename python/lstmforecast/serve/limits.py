"""What a server takes at the most, so that no request can exhaust it, and how it says that it doesn't."""

from __future__ import annotations

from dataclasses import dataclass

# Beyond, single precision has no digits left for what stands beside it, and squares come near its end.
LARGEST_VALUE = 1e15


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
