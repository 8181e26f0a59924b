"""Checks of ``Host`` and ``Origin``: a request must name this server, and come from no page of another site."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from lstmforecast.serve.limits import Refused

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Of what a client sent, in an answer.
_SHOWN = 100
_FIELDS = (b"host", b"origin")
# Hosts that are remembered as good.
_MOST_KNOWN = 100


class Hosts:
    """The host names of a server, and the check of requests against them.

    A page can make its visitor's browser ask any address, under the page's own name (DNS rebinding). What arrives at a
    loopback address must therefore name it; at other addresses names are checked if some are given.

    Parameters
    ----------
    allowed : sequence of str or None
        Names, beside those of the loopback address; None: at other addresses any name will do.
    """

    def __init__(self, allowed: Sequence[str] | None) -> None:
        if isinstance(allowed, str) or not all(isinstance(name, str) and name for name in allowed or ()):
            raise TypeError(f"expected allowed_hosts to be names such as ['forecasts.example.com'], got {allowed!r}")
        self._allowed = None if allowed is None else {_name_of(name) for name in allowed}
        # where requests arrived, and the Host that they named
        self._known: set[tuple[Any, tuple[bytes, bytes]]] = set()

    def check(self, scope: MutableMapping[str, Any]) -> None:
        """Refuse a request to another name (421), or of another site's page (403)."""
        server = tuple(scope.get("server") or ("",))
        fields = [field for field in scope["headers"] if field[0] in _FIELDS]
        if len(fields) == 1 and (server, fields[0]) in self._known:
            return
        arrived_at = str(server[0])
        hosts, origins = ([value.decode("latin-1") for name, value in fields if name == field] for field in _FIELDS)
        host = hosts[0] if len(hosts) == 1 else ""
        if len(hosts) > 1 or not self._is_ours(_name_of(host), arrived_at):
            names = ", ".join(_LOOPBACK)
            got = repr(host[:_SHOWN]) if len(hosts) == 1 else f"{len(hosts)} of them"
            raise Refused(421, f"expected a Host of {names} or --allowed-hosts (allowed_hosts= in Python), got {got}")
        for origin in origins:
            place = _place_of(origin)
            # "null" has no place
            if not place or (place != host.lower() and _name_of(place) not in (self._allowed or ())):
                raise Refused(403, f"expected a request of this server's own page, got Origin: {origin[:_SHOWN]!r}")
        if len(fields) == len(hosts) == 1 and len(self._known) < _MOST_KNOWN:
            self._known.add((server, fields[0]))

    def _is_ours(self, name: str, arrived_at: str) -> bool:
        if self._allowed is None and not arrived_at.startswith(("127.", "::1", "::ffff:127.")):
            return True
        return name in _LOOPBACK or name == arrived_at or name in (self._allowed or ())


def _place_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """Without the port, and without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return (host if host.count(":") > 1 else host.partition(":")[0]).lower()
