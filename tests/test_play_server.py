"""The server of the page: who may come in by which route, what a socket may send, and whose session is whose."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.play import server as serving
from chainrule.play.guard import Guard
from chainrule.play.rooms import Rooms


class Echo:
    """A session that repeats what it is told."""

    def __init__(self, hello: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
        self.send, self.closed, self.heard = send, False, list[Any]()
        SESSIONS.append(self)

    def handle(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        if message.get("type") == "fail":
            raise ConfigurationError("that cannot be done")
        self.send({"type": "echo", "of": message, "heard": len(self.heard)})

    def close(self) -> None:
        self.closed = True


SESSIONS: list[Echo] = []


class Page:
    """A running server, and a browser's view of it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.port, self.token = parts.port, parse_qs(parts.query)["token"][0]
        self.host = f"127.0.0.1:{self.port}"
        self.origin, self.cookie = f"http://{self.host}", f"chainrule-play-{self.port}={self.token}"

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        with httpx.Client() as client:
            return client.request(method, f"http://{self.host}{path}", headers=headers)

    def socket(self, headers: dict[str, str], origin: str | None = None, **options: Any) -> Any:
        return connect(
            f"ws://{self.host}/ws",
            origin=origin,  # type: ignore[arg-type]
            additional_headers=headers,
            open_timeout=60,
            **options,
        )

    def tab(self, **options: Any) -> Any:
        return self.socket({"Cookie": self.cookie}, self.origin, **options)


@contextlib.contextmanager
def running(**options: Any) -> Iterator[Page]:
    rooms, told, ready = Rooms(Echo), list[str](), threading.Event()

    def answer(address: str) -> None:
        told.append(address)
        ready.set()

    servers: list[Any] = []
    original = serving.uvicorn.Server

    class Kept(original):  # type: ignore[misc, valid-type]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            servers.append(self)

        def capture_signals(self) -> Any:
            return contextlib.nullcontext()

    serving.uvicorn.Server = Kept  # type: ignore[misc]
    try:
        thread = threading.Thread(target=lambda: serving.serve(rooms, ready=answer, **options), daemon=True)
        thread.start()
        assert ready.wait(10)
        yield Page(told[0])
    finally:
        serving.uvicorn.Server = original  # type: ignore[misc]
        servers[0].should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with running() as running_page:
        yield running_page


def routes() -> list[tuple[str, str]]:
    """Every route that the application has, however it is reached."""
    application = serving.application(Rooms(Echo), "token", 1)
    found = []
    for route in application._app.routes:
        path = route.path.replace("{name}", "play.js")
        found += [(method, path) for method in sorted(getattr(route, "methods", ["ws"]))]
    return found


ROUTES = routes()
every_http_route = pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[0] != "ws"])


def test_the_list_of_routes_is_what_this_file_knows() -> None:
    assert {path for _, path in ROUTES} == {"/", "/static/play.js", "/ws"}
    assert {method for method, _ in ROUTES} == {"GET", "HEAD", "ws"}  # GET changes nothing, and nothing else is there


@every_http_route
def test_every_route_answers_with_the_cookie(page: Page, method: str, path: str) -> None:
    answer = page.get(path, method, Cookie=page.cookie)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "unsafe" not in answer.headers["content-security-policy"]


FOREIGN = [
    {},
    {"Cookie": "chainrule-play-{port}=wrong"},
    {"Cookie": "chainrule-play-{port}="},
    {"Cookie": "chainrule-play-1={token}"},
    {"Cookie": "other={token}"},
    {"Authorization": "Bearer {token}"},
    {"Cookie": "{cookie}", "Host": "evil.example"},
    {"Cookie": "{cookie}", "Host": "127.0.0.1:1"},
    {"Cookie": "{cookie}", "Host": "localhost.evil.example:{port}"},
    {"Cookie": "{cookie}", "Origin": "http://evil.example"},
    {"Cookie": "{cookie}", "Origin": "null"},
    {"Cookie": "{cookie}", "Origin": "http://127.0.0.1:1"},
    {"Cookie": "{cookie}", "Origin": "https://127.0.0.1:{port}"},
    {"Cookie": "{cookie}", "Origin": "http://localhost:{port}"},  # another origin than the Host of the request
]


def filled(headers: dict[str, str], page: Page) -> dict[str, str]:
    return {k: v.format(port=page.port, token=page.token, cookie=page.cookie) for k, v in headers.items()}


@every_http_route
@pytest.mark.parametrize("headers", FOREIGN)
def test_no_route_answers_a_stranger(page: Page, method: str, path: str, headers: dict[str, str]) -> None:
    answer = page.get(path, method, **filled(headers, page))
    assert answer.status_code in (403, 421)
    assert page.token not in answer.text


@pytest.mark.parametrize("headers", FOREIGN)
def test_no_socket_opens_for_a_stranger(page: Page, headers: dict[str, str]) -> None:
    headers = filled(headers, page)
    origin = headers.pop("Origin", page.origin)
    host = headers.pop("Host", None)
    if host is not None:  # the client of the tests writes Host itself
        with socket.create_connection(("127.0.0.1", page.port)) as raw:
            lines = [f"Host: {host}", f"Cookie: {page.cookie}", f"Origin: {page.origin}", "Upgrade: websocket"]
            lines += ["Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
            raw.sendall(("GET /ws HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
            assert raw.recv(100).split()[1] == b"403"
        return
    with pytest.raises(InvalidStatus) as refused, page.socket(headers, origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_socket_without_an_origin_is_no_browsers(page: Page) -> None:
    with pytest.raises(InvalidStatus), page.socket({"Cookie": page.cookie}, None):
        pass


def test_the_token_moves_from_the_address_into_a_strict_cookie(page: Page) -> None:
    answer = page.get(f"/?token={page.token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"] == f"{page.cookie}; Path=/; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize(
    "query", ["token=wrong", "token=", "token={token}&token=wrong", "Token={token}", "token={token}x"]
)
def test_another_token_opens_nothing(page: Page, query: str) -> None:
    assert page.get("/?" + query.format(token=page.token)).status_code == 403


def test_the_token_opens_no_other_route_from_its_address(page: Page) -> None:
    assert page.get(f"/static/play.js?token={page.token}").status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_is_offered(page: Page, method: str) -> None:
    assert page.get("/", method, Cookie=page.cookie, Origin=page.origin).status_code == 405


@pytest.mark.parametrize(
    "name", ["../server.py", "..%2fserver.py", "%2e%2e/guard.py", "play.js%00", "/etc/passwd", "x"]
)
def test_files_come_from_a_fixed_list(page: Page, name: str) -> None:
    assert page.get(f"/static/{name}", Cookie=page.cookie).status_code == 404


def hello(tab: Any, **more: Any) -> str:
    """Say hello; the name of the session."""
    tab.send(json.dumps({"type": "hello", **more}))
    return str(heard(tab, "session")["name"])


def heard(tab: Any, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(tab.recv(timeout=60))
        if message["type"] == kind:
            return message


def test_a_tab_talks_with_its_session_and_a_reload_finds_it_again(page: Page) -> None:
    with page.tab() as tab:
        name = hello(tab)
        tab.send('{"type": "step"}')
        heard(tab, "echo")
        assert heard(tab, "echo")["heard"] == 2
    with page.tab() as tab:
        assert hello(tab, session=name) == name
        assert heard(tab, "echo")["heard"] == 3


def test_two_tabs_do_not_disturb_each_other(page: Page) -> None:
    with page.tab() as one, page.tab() as other:
        name = hello(one)
        assert hello(other, session=name) != name  # a duplicated tab
        one.send('{"type": "only one"}')
        heard(one, "echo")
        assert heard(one, "echo")["of"] == {"type": "only one"}
        assert heard(other, "echo")["of"] == {"type": "look"}


def test_an_error_of_the_library_is_told_and_ends_nothing(page: Page) -> None:
    with page.tab() as tab:
        hello(tab)
        tab.send('{"type": "fail"}')
        assert heard(tab, "problem")["says"] == "that cannot be done"
        tab.send('{"type": "after"}')
        while heard(tab, "echo")["of"] != {"type": "after"}:
            pass


@pytest.mark.parametrize(
    "first", ["", "[]", "nonsense", "1e999", '{"type": "step"}', "[" * 100_000, b"\x00\xff", '"hello"']
)
def test_garbage_closes_its_own_socket_only(page: Page, first: str | bytes) -> None:
    with page.tab() as other:
        hello(other)
        with page.tab() as tab:
            tab.send(first)
            with pytest.raises(ConnectionClosed) as closed:
                tab.recv(timeout=60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4400
        other.send('{"type": "still here"}')
        heard(other, "echo")


def test_a_frame_that_is_too_large_closes_its_socket(page: Page) -> None:
    with page.tab(max_size=None) as tab:
        hello(tab)
        with pytest.raises(ConnectionClosed):
            tab.send(json.dumps({"type": "csv", "text": "x" * (serving.LARGEST + 1)}))
            while True:
                tab.recv(timeout=60)


def test_a_thousand_idle_sockets_leave_room_for_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_SILENT", 0.5)
    with running() as page, contextlib.ExitStack() as idle:
        for _ in range(1000):
            with contextlib.suppress(InvalidStatus, ConnectionClosed, OSError):
                idle.enter_context(page.tab())
        time.sleep(0.8)
        with page.tab() as tab:
            hello(tab)
            tab.send('{"type": "still here"}')
            heard(tab, "echo")


def test_two_servers_choose_two_ports_and_a_taken_one_is_refused() -> None:
    with running() as one, running() as other:
        assert one.port != other.port
        assert one.token != other.token
        assert other.get("/", Cookie=one.cookie).status_code == 403
        with pytest.raises(ChainruleError, match="leave --port out"):
            serving.listen(one.port)


def test_sessions_that_nobody_watches_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.play.rooms._KEPT", 0.0)
    with running() as page:
        SESSIONS.clear()
        with page.tab() as tab:
            hello(tab)
        time.sleep(0.1)
        with page.tab() as tab:
            hello(tab)
            assert SESSIONS[0].closed
            assert not SESSIONS[1].closed


def test_the_guard_compares_in_constant_time() -> None:
    assert "compare_digest" in Guard._is_token.__code__.co_names


def stranger(page: Page, says: bytes) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", page.port))
    raw.sendall(says)
    return raw


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\nHost: ", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_thousand_connections_that_say_nothing_whole_keep_nobody_out(page: Page, says: bytes) -> None:
    with contextlib.ExitStack() as idle:
        for _ in range(1000):
            idle.enter_context(stranger(page, says))
        assert page.get("/", Cookie=page.cookie).status_code == 200
        with page.tab() as tab:
            hello(tab)


def test_a_table_that_is_sent_in_pieces_is_bounded_as_a_whole(page: Page) -> None:
    with page.tab(max_size=None) as tab:
        hello(tab)
        with pytest.raises(ConnectionClosed):
            tab.send("x" * 2**20 for _ in range(serving.LARGEST // 2**20 + 1))
            while True:
                tab.recv(timeout=60)
    assert closing(tab) == 1009


def test_a_frame_that_unfolds_to_more_than_a_table_is_refused(page: Page) -> None:
    with page.tab(max_size=None, compression="deflate") as tab:
        hello(tab)
        with pytest.raises(ConnectionClosed):
            tab.send(" " * (8 * serving.LARGEST))  # some kilobytes on the wire
            while True:
                tab.recv(timeout=60)
    assert closing(tab) == 1009


def closing(tab: Any) -> int:
    return int(tab.close_code)
