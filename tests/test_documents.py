"""Every Python example in the documents runs."""

from __future__ import annotations

import contextlib
import doctest
import io
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
from chainrule.exchange import onnxlayers

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


PAGES = ["explain", "draw", "export", "backpropagation", "classifier", "optimizers", "layers"]
NEEDED = {"export": ("onnx", "onnxruntime")}  # by a page, beside the library


def printed_by(page: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the cells of a page print, run one after the other."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", text, flags=re.M | re.S)
    assert len(cells) >= 6
    monkeypatch.setenv("MPLBACKEND", "agg")
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    vars(module)["__name__"] = "page"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for cell in cells:
            exec(cell, vars(module))
    if "plt" in vars(module):
        vars(module)["plt"].close("all")
    book.init(dot_precision_workaround=False, default_dtype="float64")
    return out.getvalue()


@pytest.mark.parametrize("name", PAGES)
def test_the_cells_of_a_page_run_one_after_the_other(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in NEEDED.get(name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(onnxlayers, "LAYERS", dict(onnxlayers.LAYERS))  # a page may add to it
    printed = printed_by(name, monkeypatch)
    if name == "backpropagation":
        place = 0
        for digits in NOTES:
            assert digits in printed[place:], f"not printed, or not in this order:\n{digits}"
            place = printed.index(digits, place) + len(digits)


# Every output of the notebook, in its order, as NumPy prints it.
NOTES = [
    "next layer times ReLU: 1.0\n",
    "1.0 1.0 1.0 1.0\n",
    "-3.0 1.0 -1.0 -2.0 2.0 3.0\n",
    "[-3.0, -1.0, 2.0] 1.0 -> [-3.001, -0.998, 1.997] 0.999\n",
    "6.0 -> 5.985\n",
    "[ 0.44 -0.38 -0.07  1.37]\n",
    "[ 0.44 -0.38 -0.07  1.37]\n",
    "[[ 0.44 -0.38 -0.07  1.37]\n [ 0.88 -0.76 -0.14  2.74]\n [ 1.32 -1.14 -0.21  4.11]]\n",
    "[[ 0.5  0.5  0.5]\n [20.1 20.1 20.1]\n [10.9 10.9 10.9]\n [ 4.1  4.1  4.1]]\n",
    "[[6. 6. 6.]]",
    "[[1 1 0 0]\n [1 0 0 1]\n [0 1 1 0]]\n[[ 1  2  0  0]\n [ 5  0  0  8]\n [ 0 10 11  0]]\n",
    "[[ 1  2  0  0]\n [ 5  0  0  8]\n [ 0 10 11  0]]\n",
    "[[ 0.179515   0.5003665 -0.262746 ]\n [ 0.742093  -0.9152577 -0.2758402]\n"
    " [-0.510153   0.2529017  0.1629592]\n [ 0.971328  -0.5021842  0.8636583]]\n[[1.98489  2.997739 0.497389]]\n",
    "[[0.7]\n [0.1]\n [0.2]]\n[[1. 0. 0.]\n [0. 1. 0.]\n [0. 0. 1.]]\n",
    "[[0.7 0.  0. ]\n [0.  0.1 0. ]\n [0.  0.  0.2]]\n",
    "[[0.49 0.07 0.14]\n [0.07 0.01 0.02]\n [0.14 0.02 0.04]]\n",
    "[[ 0.21 -0.07 -0.14]\n [-0.07  0.09 -0.02]\n [-0.14 -0.02  0.16]]\n",
    *[
        "[[-0.1         0.03333333  0.06666667]\n [ 0.03333333 -0.16666667  0.13333333]\n"
        " [ 0.00666667 -0.03333333  0.02666667]]\n"
    ]
    * 2,
    "[[0.33333334 0.33333334 0.33333334]\n [0.33333316 0.3333332  0.33333364]\n [0.33333287 0.3333329  0.33333418]\n"
    " [0.3333326  0.33333263 0.33333477]\n [0.33333233 0.3333324  0.33333528]]\nloss: 1.0986104\nacc: 0.34\n",
    "[[ 1.5766358e-04  7.8368575e-05  4.7324404e-05]\n [ 1.8161036e-04  1.1045571e-05 -3.3096316e-05]]\n"
    "[[-3.6055347e-04  9.6611722e-05 -1.0367142e-04]]\n"
    "[[ 5.4410957e-05  1.0741142e-04 -1.6182236e-04]\n [-4.0791339e-05 -7.1678100e-05  1.1246944e-04]\n"
    " [-5.3011299e-05  8.5817286e-05 -3.2805994e-05]]\n[[-1.0732794e-05 -9.4590941e-06  2.0027626e-05]]\n",
]


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto\w+:: chainrule\.(\w+)$", text, flags=re.M)
    assert sorted(set(listed) - {"plots"}) == sorted(chainrule.__all__)
    assert len(listed) == len({*listed})


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", index, flags=re.M | re.S)
    named = {line for tree in trees for line in tree.split() if not line.startswith(":")}
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= named


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
