"""The sessions of all tabs: each tab has its own, finds it again after a reload, and loses it when nobody looks."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import ChainruleError

__all__ = ["Room", "Rooms", "Talk"]

_MOST = 32  # sessions kept at once
_KEPT = 60.0  # seconds that a session without a tab is kept


class Talk(Protocol):
    """A session: it takes a message and answers by calling `send` any number of times, from any thread."""

    def handle(self, message: dict[str, Any]) -> None:
        """Do what the page asks for."""

    def close(self) -> None:
        """End what runs."""


@dataclass
class Room:
    """One session and where its answers go."""

    name: str
    session: Talk
    out: asyncio.Queue[dict[str, Any]]
    watched: int = 0
    left: float = field(default_factory=time.monotonic)

    async def handle(self, message: dict[str, Any]) -> None:
        """Let the session work outside of the event loop; what it cannot do is said, and nothing ends."""
        try:
            await asyncio.to_thread(self.session.handle, message)
        except ChainruleError as error:
            await self.out.put({"type": "problem", "says": str(error)})


class Rooms:
    """`opened` makes a new session from what the page says at first and from a function that sends to the page."""

    def __init__(self, opened: Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], Talk]) -> None:
        self._opened, self._rooms = opened, dict[str, Room]()

    def enter(self, hello: dict[str, Any]) -> Room:
        """The session that the tab had before, or a new one."""
        self._sweep()
        room = self._rooms.get(str(hello.get("session", "")))
        if room is None or room.watched:  # a tab that was duplicated gets a session of its own
            room = self._new(hello)
        room.watched += 1
        room.out.put_nowait({"type": "session", "name": room.name})
        room.session.handle({"type": "look"})
        return room

    def leave(self, room: Room) -> None:
        """A tab is gone."""
        room.watched -= 1
        room.left = time.monotonic()
        asyncio.get_running_loop().call_later(_KEPT + 0.1, self._sweep)

    def close(self) -> None:
        """End every session."""
        for room in self._rooms.values():
            room.session.close()
        self._rooms.clear()

    def _new(self, hello: dict[str, Any]) -> Room:
        loop = asyncio.get_running_loop()
        out: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1024)

        def send(message: dict[str, Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the server has gone while something was worked out
                loop.call_soon_threadsafe(_put, out, message)

        name = secrets.token_urlsafe(16)
        room = Room(name, self._opened(hello, send), out)
        self._rooms[name] = room
        return room

    def _sweep(self) -> None:
        """End the sessions that nobody has watched for a while, and the oldest where there are too many."""
        now = time.monotonic()
        unwatched = sorted((room for room in self._rooms.values() if not room.watched), key=lambda room: room.left)
        surplus = max(0, len(self._rooms) - _MOST + 1)
        for index, room in enumerate(unwatched):
            if index < surplus or now - room.left > _KEPT:
                room.session.close()
                del self._rooms[room.name]


def _put(out: asyncio.Queue[dict[str, Any]], message: dict[str, Any]) -> None:
    """Queue a message; a page that does not read loses the oldest pictures of a run."""
    while out.full():
        out.get_nowait()
    out.put_nowait(message)
