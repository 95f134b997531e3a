"""The door of the server: connections that say nothing may stand there, a few at a time, and keep nobody out."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Doorway"]

_SILENT = 64  # connections, at most, that have not made a whole request; a browser makes its own at once
_PATIENCE = 10.0  # seconds until one of them must have


class Doorway(H11Protocol):
    """A connection; where too many have come and said nothing, the one that has been silent longest is closed."""

    came: float

    def connection_made(self, transport: Any) -> None:
        """Somebody comes."""
        super().connection_made(transport)
        self.came = self.loop.time()
        self.loop.call_later(_PATIENCE, self._show_out)
        others: set[Any] = self.connections
        silent: list[Doorway] = [one for one in others if isinstance(one, Doorway) and one.scope is None]
        if len(silent) > _SILENT:
            min(silent, key=lambda one: one.came)._show_out()

    def _show_out(self) -> None:
        if self.scope is None:
            self.connections.discard(self)
            self.transport.abort()
