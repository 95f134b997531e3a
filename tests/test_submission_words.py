"""check: what a teacher is told of a submission's text, and of how it ended; which losses may have been meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.checking.subjects.costs import OF_CLASSES, USUAL, usual_losses
from chainrule.checking.submissions import why_ended
from chainrule.checking.submissions.keeper import NO_START, TOO_MANY
from chainrule.checking.submissions.sandbox import Limits
from chainrule.checking.submissions.suspicion import calls_more, suspicions

LIBRARY = "It imports chainrule, whose layers are right."
INTERPRETER = "It reaches into the interpreter ({})."
DIFFERENCES = "backward takes differences, and no derivative."
CENTRAL = "def backward(self, d):\n    h = {step}\n    return d * (self.f(self.x + h) - self.f(self.x - h)) / (2 * h)"
ENTRY = (
    "def numeric(f, x):\n    x[0] += 1e-4\n    a = f(x)\n    x[0] -= 2e-4\n    b = f(x)\n    return (a - b) / 2e-4\n"
)
TEXTS: dict[str, tuple[str, list[str]]] = {
    "nothing": ("import numpy as np\nx = np.ones(3)", []),
    "the library": ("import chainrule", [LIBRARY]),
    "a part of it": ("from chainrule.layers import Dense", [LIBRARY]),
    "twice": ("import chainrule\nfrom chainrule import Dense", [LIBRARY]),
    "by another name": ("import numpy, chainrule.layers as c", [LIBRARY]),
    "by its name as a text": ("m = __import__('chainrule')", [LIBRARY]),
    "what one derives from": ("from chainrule import Layer, Loss, Penalty", []),
    "a base and a layer": ("from chainrule import Layer, Dense", [LIBRARY]),
    "a text about it": ("'chainrule is a library'", []),
    "a neighbour": ("from .chainrule import x\nfrom . import jax", []),
    **{
        name: (f"import {name}.numpy", [f"It imports {name}, which differentiates by itself."])
        for name in ("jax", "autograd", "tensorflow", "tinygrad", "numdifftools", "pytensor", "casadi", "mygrad")
    },
    **{
        name: (f"sys.{name}(0)", [INTERPRETER.format(name)])
        for name in ("_getframe", "_current_frames", "settrace", "setprofile", "get_objects", "get_referrers")
    },
    "a name of the interpreter": ("settrace(f)", [INTERPRETER.format("settrace")]),
    **{
        name: (
            f"def backward(d):\n    return d * {name}(f, x)",
            [f"backward calls {name}: differences, and no derivative."],
        )
        for name in ("approx_fprime", "approx_derivative", "derivative", "numerical_gradient", "numeric_gradient")
    },
    "of its own": ("def derivative(x): return 1\ndef backward(d): return d * derivative(2)", []),
    "differences": (CENTRAL.format(step="1e-5"), [DIFFERENCES]),
    "with a wide step": (CENTRAL.format(step="1.0").replace(" h", " w").replace("* h", "* w"), []),
    "with a step of a name": (CENTRAL.format(step="self.eps"), [DIFFERENCES]),
    "of a function of its own": (
        "def f(x): return x\n" + CENTRAL.format(step="2.0").replace("self.f", "f"), [DIFFERENCES],
    ),
    "in a function that is called": (
        "def slope(f, x): return (f(x + 1e-6) - f(x)) / 1e-6\ndef backward(d): return d * slope(np.exp, 1)",
        ["slope takes differences, and no derivative."],
    ),
    "in place": (ENTRY + "def grad(x): return numeric(np.sum, x)", ["numeric takes differences, and no derivative."]),
    "only a check of it": (ENTRY + "def check_gradient(x): return numeric(np.sum, x)", []),
    "a difference that is none": ("def backward(d):\n    return (np.exp(x) - np.exp(y)) / 2", []),
    "a sum": ("def backward(d):\n    return (f(x + 1e-5) + f(x)) / 2", []),
    "not divided": ("def backward(d):\n    return f(x + 1e-5) - f(x)", []),
    "forward": (CENTRAL.format(step="1e-5").replace("backward", "forward"), []),
    "what does not run": ("def f(:", []),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_remarked_of_a_text(name: str, tmp_path: Path) -> None:
    text, remarks = TEXTS[name]
    (tmp_path / "own.py").write_text(text)
    assert suspicions(tmp_path / "own.py") == remarks


def test_how_often_backward_calls_what_forward_calls() -> None:
    def inner(x: float) -> float:
        return x

    assert calls_more(lambda: inner(1), lambda: [inner(k) for k in range(6)][-1]) == (5, 6.0)
    assert calls_more(lambda: [inner(1), inner(2)], lambda: inner(3)) == (3, 0.5)
    assert calls_more(lambda: 1, lambda: 2) == (2, 0.0)


LIMITS = Limits(seconds=7, megabytes=300, processes=5)
ENDS = {
    "processes": (("no_answer", TOO_MANY), "It started more than 5 processes, and was ended."),
    "processes, and time": (("time_limit", TOO_MANY), "It started more than 5 processes, and was ended."),
    "time": (("time_limit", 0), "It took longer than 7 seconds."),
    "garbage": (("garbage", 0), "It wrote something of its own to the one who checks it, and was ended."),
    "no start": (("no_answer", NO_START), "No process could be started for it."),
    "a signal": (
        ("no_answer", 137), "Its process was ended by signal 9; it may have needed more than 300 MB.",
    ),
    "the first signal": (
        ("no_answer", 129), "Its process was ended by signal 1; it may have needed more than 300 MB.",
    ),
    "by itself": (("no_answer", 3), "Its process ended by itself with code 3 before the check was done."),
    "no signal": (("no_answer", 128), "Its process ended by itself with code 128 before the check was done."),
}  # fmt: skip


@pytest.mark.parametrize(("how", "says"), ENDS.values(), ids=ENDS)
def test_why_nothing_more_came_of_a_submission(how: tuple[str, int], says: str) -> None:
    assert why_ended(*how, LIMITS) == says


def losses_by_hand(o: Any, t: Any) -> dict[str, Any]:
    squares, shares = ((o - t) ** 2).sum(), -(t * np.log(o)).sum()
    answers = shares - ((1 - t) * np.log(1 - o)).sum()
    return {
        "half of the squared error": squares / 2, "the squared error": squares, "the cross-entropy": shares,
        "the mean of the squared error": squares / 15, "the mean of the squared error over the samples": squares / 5,
        "the mean of half the squared error over the samples": squares / 10, "the binary cross-entropy": answers,
        "half the squared error, its mean over columns": squares / 6,
        "the mean of the cross-entropy over the samples": shares / 5,
        "the cross-entropy, its mean over columns": shares / 3,
        "the mean of the binary cross-entropy over the samples": answers / 5,
        "the binary cross-entropy, its mean over columns": answers / 3,
    }  # fmt: skip


def test_the_usual_losses_are_what_they_are_called() -> None:
    draw = np.random.default_rng(0)
    o, t = draw.uniform(0.1, 0.9, (5, 3)), draw.uniform(0.1, 0.9, (5, 3))
    given = {loss.called: loss.value(o, t) for loss in USUAL}
    assert given == pytest.approx(losses_by_hand(o, t))
    classes, shares = np.array([0, 2, 1, 1, 0]), o / o.sum(axis=1, keepdims=True)
    chosen = -np.log(shares[range(5), classes])
    for output in (shares, shares.T):
        assert [loss.value(output, classes) for loss in OF_CLASSES] == pytest.approx([chosen.mean(), chosen.sum()])


SOURCES = {
    "softmax(x)": ["shares", "squared"], "np.exp(x) / np.sum(np.exp(x))": ["shares", "squared"],
    "e = exp(x); e / sum(e)": ["shares", "squared"], "sigmoid(x)": ["binary", "squared"],
    "Sigma(x)": ["binary", "squared"], "1 / (1 + np.exp(-x))": ["binary", "squared"],
    "1.0/(1.0+np.exp(-x))": ["binary", "squared"], "sigmoid(x); softmax(y)": ["shares", "binary", "squared"],
    "np.tanh(x)": ["squared", "shares", "binary"], "np.exp(x)": ["squared", "shares", "binary"],
}  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_the_losses_that_go_with_an_activation_come_first(source: str) -> None:
    assert usual_losses(source, classes=True) is OF_CLASSES
    kinds = ["squared" if "squared" in loss.called else "binary" if "binary" in loss.called else "shares"
             for loss in usual_losses(source, classes=False)]  # fmt: skip
    assert list(dict.fromkeys(kinds)) == SOURCES[source]
    assert len(kinds) == sum({"shares": 3, "binary": 3, "squared": 6}[kind] for kind in dict.fromkeys(kinds))
