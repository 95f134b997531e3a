"""The widget in a real JupyterLab: a notebook is run there, its numbers are the library's, and it trains."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
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


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook in a running JupyterLab that knows no settings but its own."""
    pytest.importorskip("jupyterlab")
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {"cells": [cell | {"source": f"{CELL}widget"}], "metadata": {"kernelspec": kernel}}
    (tmp_path / "page.ipynb").write_text(json.dumps(document | {"nbformat": 4, "nbformat_minor": 5}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{what}_DIR": str(tmp_path / f".{what.lower()}") for what in ("CONFIG", "DATA", "RUNTIME")}
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", f"--ServerApp.root_dir={tmp_path}"]
    with (tmp_path / "lab.log").open("w") as log:
        lab = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, "--IdentityProvider.token=t"],
            env=os.environ | own,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api?token=t", lab, tmp_path / "lab.log")
            yield f"http://127.0.0.1:{port}/lab/tree/page.ipynb?token=t"
        finally:
            lab.terminate()
            lab.wait(30)


def _wait_for(address: str, lab: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address).close()
            return
        except (urllib.error.URLError, ConnectionError):
            assert lab.poll() is None, log.read_text()
            time.sleep(0.2)
    pytest.fail(log.read_text())


def test_the_widget_explains_and_trains_in_a_real_jupyterlab(notebook: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    names: dict[str, Any] = {}
    exec(CELL.replace("widget =", "#"), names)
    gradient = names["model"].trace(names["iris"].X_train, names["iris"].y_train).gradients["dense_0.weights"][1, 2]
    errors = list[str]()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(notebook)
        page.get_by_text("| Idle").first.wait_for()
        page.locator(".jp-Notebook .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.locator(".cr-play .unit").first.wait_for()
        page.locator('.cr-play .wire[data-what="dense_0.weights[1,2]"]').dispatch_event("click")
        shown = page.locator(".cr-play #gradient").inner_text()
        assert float(shown.replace("−", "-")) == pytest.approx(gradient, rel=1e-5)
        title = page.locator(".cr-play .net h2")
        before = title.inner_text()
        page.get_by_role("button", name="train", exact=True).click()
        page.wait_for_function(
            "(old) => !document.querySelector('.cr-play .net h2').textContent.endsWith(old)", arg="step 0"
        )
        page.get_by_role("button", name="pause", exact=True).click()
        page.get_by_role("button", name="train", exact=True).wait_for()
        losses = [float(text.partition("loss ")[2].split()[0]) for text in (before, title.inner_text())]
        assert losses[1] < losses[0]
        browser.close()
    assert errors == []
