"""Every Python example in the documents runs."""

from __future__ import annotations

import doctest
import os
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import book

ROOT = Path(__file__).parent.parent
BLOCKS = [
    pytest.param(re.sub(rf"^{indent}", "", code, flags=re.M), id=f"{name}-{index}")
    for name in ("README.md", "CONTRIBUTING.md")
    for index, (indent, code) in enumerate(
        re.findall(r"^( *)```python\n(.*?)^ *```$", (ROOT / name).read_text(encoding="utf-8"), flags=re.M | re.S)
    )
]


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("code", BLOCKS)
def test_an_example_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    names = vars(module)
    names["Layer"] = chainrule.Layer
    exec(code, names)
    book.init(dot_precision_workaround=False, default_dtype="float64")
    if "PReLU" in names:
        layer, inputs = names["PReLU"](), np.array([[2.0, -3.0], [-1.0, 4.0]])
        np.testing.assert_array_equal(layer.forward(inputs), [[2.0, -0.75], [-0.25, 4.0]])
        np.testing.assert_array_equal(layer.backward(np.ones((2, 2))), [[1.0, 0.25], [0.25, 1.0]])
        assert layer.dslope == -4.0  # the two inputs below zero


NEEDED = {"export": ("onnx", "onnxruntime")}  # by a page, beside the library


@pytest.mark.parametrize("name", ["explain", "draw", "export"])
def test_the_cells_of_a_page_run_one_after_the_other(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in NEEDED.get(name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / f"{name}.md"
    cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    vars(module)["__name__"] = "page"
    assert len(cells) >= 6
    for cell in cells:
        exec(cell, vars(module))


@pytest.mark.parametrize("library", [pytest.param("torch", marks=pytest.mark.beyond_dev), "keras"])
def test_the_examples_of_exchange_run(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    pytest.importorskip(library)
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^```python\n(import {library}\n.*?)^```$", page, flags=re.M | re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["model"].predict(np.ones((2, 4))).shape == (2,)


def test_the_published_examples_print_the_published_digits() -> None:
    page = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^## \d+\. ", page, flags=re.M)) >= 12
    session = re.sub(r"^```.*$", "", page, flags=re.M)  # a fence would count as printed
    examples = doctest.DocTestParser().get_doctest(session, {}, "published.md", None, 0)
    printed: list[str] = []
    doctest.DocTestRunner().run(examples, out=printed.append)
    assert len(examples.examples) > 60
    assert printed == []
