"""Checks of the headers ``Host`` and ``Origin``, against requests that other sites send through a browser."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from lstmforecast.serve.limits import Refused

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Characters of a client's header that an answer repeats.
_SHOWN = 100
_FIELDS = (b"host", b"origin")
# Accepted hosts that are remembered.
_MOST_KNOWN = 100


class Hosts:
    """The host names of a server, and the check of requests against them.

    A page can make a browser send requests to any address under the page's own host name (DNS rebinding). Requests to a
    loopback address must therefore name it. At other addresses, names are checked only if ``allowed`` is given.

    Parameters
    ----------
    allowed : sequence of str or None
        Names besides those of the loopback address; None: any name at other addresses.
    """

    def __init__(self, allowed: Sequence[str] | None) -> None:
        if isinstance(allowed, str) or not all(isinstance(name, str) and name for name in allowed or ()):
            raise TypeError(f"expected allowed_hosts to be names such as ['forecasts.example.com'], got {allowed!r}")
        self._allowed = None if allowed is None else {_name_of(name) for name in allowed}
        # pairs of the address at which a request arrived and its Host
        self._known: set[tuple[Any, tuple[bytes, bytes]]] = set()

    def check(self, scope: MutableMapping[str, Any]) -> None:
        """Refuse a request to another host name (421), or from the page of another site (403)."""
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
            origin_host = _host_of(origin)
            # the Origin "null" has no host
            if not origin_host or (origin_host != host.lower() and _name_of(origin_host) not in (self._allowed or ())):
                raise Refused(403, f"expected a request of this server's own page, got Origin: {origin[:_SHOWN]!r}")
        if len(fields) == len(hosts) == 1 and len(self._known) < _MOST_KNOWN:
            self._known.add((server, fields[0]))

    def _is_ours(self, name: str, arrived_at: str) -> bool:
        if self._allowed is None and not arrived_at.startswith(("127.", "::1", "::ffff:127.")):
            return True
        return name in _LOOPBACK or name == arrived_at or name in (self._allowed or ())


def _host_of(origin: str) -> str:
    """The host and port of an Origin; empty if it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """A host without its port, and without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return (host if host.count(":") > 1 else host.partition(":")[0]).lower()
