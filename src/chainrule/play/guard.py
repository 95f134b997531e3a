"""What stands before every route of the page, WebSockets included: who may come in, and what every answer carries."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Guard"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CLOSED = 4403  # the WebSocket code for "forbidden"
_SAFE = ("GET", "HEAD")


class Guard:
    """An ASGI application before another: it answers itself whatever does not come from the page's own browser tab.

    The `token` comes once, in the query of the page's address, and from then on in a cookie that no script reads and no
    other site's request carries. Host must be this machine on this `port`; Origin, which a browser sends with every
    WebSocket and every POST, must be that of the page. Cookies know no ports, so that the cookie's name has it.
    """

    def __init__(self, app: Any, token: str, port: int) -> None:
        self._app, self._token = app, token.encode()
        self._cookie = f"chainrule-play-{port}"
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost", "[::1]"}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on what may come in."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is not None:
            await _refuse(scope, receive, send, *refused)
        elif self._brings_token(scope):
            await _redirect(send, self._fresh_cookie())
        else:
            await self._app(scope, receive, _hardened(send, self._host(scope)))

    def _refused(self, scope: Message) -> tuple[int, str] | None:
        """The status and the reason where the request may not come in."""
        headers = _headers(scope)
        if any(len(headers.get(name, [])) > 1 for name in ("host", "origin")) or self._host(scope) not in self._hosts:
            return 421, "This page is served to this machine only; open the address that chainrule play printed."
        origins = headers.get("origin", [])
        needed = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if (origins or needed) and origins != [f"http://{self._host(scope)}"]:
            return 403, "A page of another origin may not use this one."
        if not (self._has_cookie(headers) or self._brings_token(scope)):
            return 403, "The token is missing or wrong: open the address that chainrule play printed."
        return None

    def _host(self, scope: Message) -> str:
        return next(iter(_headers(scope).get("host", [])), "").lower()

    def _has_cookie(self, headers: dict[str, list[str]]) -> bool:
        given: list[str] = []
        for header in headers.get("cookie", []):
            try:
                jar = SimpleCookie(header)
            except CookieError:
                continue
            given += [jar[self._cookie].value] if self._cookie in jar else []
        return any(self._is_token(value) for value in given)

    def _brings_token(self, scope: Message) -> bool:
        """Whether this opens the page with the token in its address."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            return False
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        return len(given) == 1 and self._is_token(given[0])

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token)

    def _fresh_cookie(self) -> str:
        return f"{self._cookie}={self._token.decode()}; Path=/; HttpOnly; SameSite=Strict"


def _headers(scope: Message) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _policies(host: str) -> list[tuple[str, str]]:
    """What every answer tells the browser: nothing from elsewhere, no frames, no guessing of types, no cache."""
    content = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' "
        f"ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        ("content-security-policy", content),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ]


def _hardened(send: Send, host: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message["headers"] = [*message.get("headers", []), *_encoded(_policies(host))]
        await send(message)

    return sending


async def _refuse(scope: Message, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the wish to connect; a close before an accept answers it with 403
        await send({"type": "websocket.close", "code": _CLOSED, "reason": reason[:120]})
        return
    body = reason.encode()
    headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body))), *_policies("")]
    headers += [("connection", "close")]  # a stranger keeps no place
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, cookie: str) -> None:
    headers = [("location", "/"), ("set-cookie", cookie), ("content-length", "0"), *_policies("")]
    await send({"type": "http.response.start", "status": 303, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": b""})
