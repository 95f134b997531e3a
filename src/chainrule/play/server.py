"""The server of the page: its routes, its sockets, and the address that is printed."""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
import socket
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..blasthreads import one_thread
from ..errors import ChainruleError
from .caps import TABLE
from .doorway import Doorway
from .guard import Guard
from .rooms import Rooms
from .script import script

__all__ = ["application", "listen", "serve"]

LARGEST = TABLE * 4 // 3 + 2**10  # bytes of one message, a table in base64 included
_SOCKETS = 64  # open at once
_SILENT = 10.0  # seconds until a socket must have said hello
_SWITCH = 0.001  # seconds until Python lets another thread run: a click must not wait for the training beside it
_FULL, _GARBAGE, _LATE = 4429, 4400, 4408  # codes of our own with which a socket is closed

_STATIC = {
    "index.html": "text/html; charset=utf-8",
    "play.js": "text/javascript; charset=utf-8",
    "play.css": "text/css; charset=utf-8",
}


def _file(name: str) -> bytes:
    if name == "play.js":
        return script().encode()
    return (files(__package__) / "static" / name).read_bytes()


async def _page(request: Request) -> Response:
    return Response(_file("index.html"), media_type=_STATIC["index.html"])


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:  # a fixed list: no path is made of what the client names
        return PlainTextResponse("There is no such file.", status_code=404)
    return Response(_file(name), media_type=_STATIC[name])


class _Sockets:
    """What each socket does: it says hello, is given a session, and then asks and is answered until it goes."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms, self._open = rooms, 0

    async def open(self, socket: WebSocket) -> None:
        """Serve one socket until it goes."""
        if self._open >= _SOCKETS:
            await socket.close(_FULL, "too many tabs are open")
            return
        self._open += 1
        try:
            await socket.accept()
            await self._talk(socket)
        except WebSocketDisconnect:
            pass
        finally:
            self._open -= 1

    async def _talk(self, socket: WebSocket) -> None:
        try:
            hello = _message(await asyncio.wait_for(socket.receive(), _SILENT))
        except TimeoutError:
            await socket.close(_LATE, "nothing was said")
            return
        if hello is None or hello.get("type") != "hello":
            await socket.close(_GARBAGE, "the first message must be hello")
            return
        room = self._rooms.enter(hello)
        try:
            sending = asyncio.create_task(_pass_on(room.out, socket))
            try:
                while True:
                    message = _message(await socket.receive())
                    if message is None:
                        await socket.close(_GARBAGE, "messages are JSON objects")
                        return
                    await room.handle(message)
            finally:
                sending.cancel()
        finally:
            self._rooms.leave(room)


async def _pass_on(out: asyncio.Queue[dict[str, Any]], socket: WebSocket) -> None:
    while True:
        await socket.send_text(json.dumps(await out.get(), allow_nan=False, separators=(",", ":")))


def _message(received: Any) -> dict[str, Any] | None:
    """A message of the page, or None for anything else. Raises `WebSocketDisconnect` where it went."""
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1000))
    text = received.get("text")
    try:
        message = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def application(rooms: Rooms, token: str, port: int) -> Guard:
    """The whole application, guard included."""
    routes = [Route("/", _page), Route("/static/{name}", _static), WebSocketRoute("/ws", _Sockets(rooms).open)]
    return Guard(Starlette(routes=routes), token, port)


def listen(port: int | None) -> socket.socket:
    """A socket on this machine alone; without a number, a port that nobody uses. Raises `ChainruleError`."""
    listener = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # asyncio sends at once on a TCP socket that says so
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port or 0))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ChainruleError(
            f"play: port {port} cannot be used ({error}); leave --port out to take a free one."
        ) from None
    return listener


def serve(rooms: Rooms, *, port: int | None = None, ready: Callable[[str], None] = print) -> None:
    """Serve until Ctrl-C; `ready` is told the address once it answers."""
    listener, token = listen(port), secrets.token_urlsafe(32)
    number = listener.getsockname()[1]
    config = uvicorn.Config(
        application(rooms, token, number),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=Doorway,
        ws="websockets-sansio",
        ws_max_size=LARGEST,
        ws_max_queue=8,
        limit_concurrency=256,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    async def running() -> None:
        task = asyncio.create_task(server.serve([listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.02)
        if server.started:
            ready(f"http://127.0.0.1:{number}/?token={token}")
        await task

    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    gc.collect()
    gc.freeze()  # the garbage collector does not look through the libraries while somebody waits
    try:
        with one_thread():  # the other cores draw the page
            asyncio.run(running())
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        rooms.close()
        listener.close()
