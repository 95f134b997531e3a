"""The widget in a real JupyterLab and in marimo: a notebook runs, its numbers are the library's, and it trains."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.beyond_dev,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]

CELL = """
from chainrule import SGD, Dense, Model, ReLU, SoftmaxCrossentropy, datasets
iris = datasets.load("iris")
model = Model([Dense(4, 6), ReLU(), Dense(6, 3)], SoftmaxCrossentropy(), SGD(0.05), seed=0, dtype="float64")
widget = model.widget(iris.X_train, iris.y_train)
"""


MARIMO = """
import marimo
app = marimo.App()

@app.cell
def _():
{cell}
    widget
    return
"""


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook in a running JupyterLab that knows no settings but its own."""
    pytest.importorskip("jupyterlab")
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {"cells": [cell | {"source": f"{CELL}widget"}], "metadata": {"kernelspec": kernel}}
    (tmp_path / "page.ipynb").write_text(json.dumps(document | {"nbformat": 4, "nbformat_minor": 5}))
    port = _free()
    own = {f"JUPYTER_{what}_DIR": str(tmp_path / f".{what.lower()}") for what in ("CONFIG", "DATA", "RUNTIME")}
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", f"--ServerApp.root_dir={tmp_path}"]
    with _running(["jupyterlab", *options, "--IdentityProvider.token=t"], tmp_path, own):
        _wait_for(f"http://127.0.0.1:{port}/api?token=t", tmp_path)
        yield f"http://127.0.0.1:{port}/lab/tree/page.ipynb?token=t"


@pytest.fixture
def marimo(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook that marimo serves as an app."""
    pytest.importorskip("marimo")
    (tmp_path / "page.py").write_text(MARIMO.format(cell=textwrap.indent(CELL, "    ")))
    port = _free()
    options = ["--headless", "--no-token", "--host", "127.0.0.1", "--port", str(port)]
    with _running(["marimo", "run", *options, str(tmp_path / "page.py")], tmp_path, {}):
        _wait_for(f"http://127.0.0.1:{port}/health", tmp_path)
        yield f"http://127.0.0.1:{port}"


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _running(module: list[str], folder: Path, own: dict[str, str]) -> Iterator[None]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", *module], env=os.environ | own, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(address: str, folder: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail((folder / "log").read_text())


@contextlib.contextmanager
def opened(address: str) -> Iterator[Any]:
    """A page of the browser there, on which no script may fail."""
    playwright = pytest.importorskip("playwright.sync_api")
    errors = list[str]()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    assert errors == []


def explains_and_trains(page: Any) -> None:
    """The widget's number is the library's, and its loss falls."""
    names: dict[str, Any] = {}
    exec(CELL.replace("widget =", "#"), names)
    gradient = names["model"].trace(names["iris"].X_train, names["iris"].y_train).gradients["dense_0.weights"][1, 2]
    page.locator(".cr-play .unit").first.wait_for()
    page.locator('.cr-play .wire[data-what="dense_0.weights[1,2]"]').dispatch_event("click")
    shown = page.locator(".cr-play #gradient").inner_text()
    assert float(shown.replace("−", "-")) == pytest.approx(gradient, rel=1e-5)
    title = page.locator(".cr-play .net h2")
    before = title.inner_text()
    page.get_by_role("button", name="train", exact=True).click()
    page.locator(".cr-play .net h2:not(:text('step 0'))").wait_for()
    page.get_by_role("button", name="pause", exact=True).click()
    page.get_by_role("button", name="train", exact=True).wait_for()
    losses = [float(text.partition("loss ")[2].split()[0]) for text in (before, title.inner_text())]
    assert losses[1] < losses[0]


def test_the_widget_explains_and_trains_in_a_real_jupyterlab(jupyter: str) -> None:
    with opened(jupyter) as page:
        page.get_by_text("| Idle").first.wait_for()
        page.locator(".jp-Notebook .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        explains_and_trains(page)


def test_the_widget_explains_and_trains_in_marimo_below_its_narrow_column(marimo: str) -> None:
    with opened(marimo) as page:
        explains_and_trains(page)
        panes = [page.locator(f".cr-play .{name}").bounding_box() for name in ("net", "why", "data")]
        assert len({pane["x"] for pane in panes}) == 1  # below each other, where there is no room beside each other
        assert panes[0]["y"] < panes[1]["y"] < panes[2]["y"]
