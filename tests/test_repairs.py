"""check: for each usual slip in a line of a backward pass, the right line is among those tried, under its own name."""

from __future__ import annotations

import ast
import re
import types
from typing import Any

import numpy as np
import pytest

from chainrule.checking.mending.changes import as_written
from chainrule.checking.mending.repairs import repairs
from chainrule.checking.mending.rewriting import SourceScope
from chainrule.checking.mending.usercode import copied_tree
from records import assert_recorded

SHAPES = {"d": (5, 3), "x": (5, 4), "W": (4, 3), "y": (5, 3), "h": (5, 4), "dx": (5, 4), "dW": (4, 3), "out": (5, 3)}


def names() -> dict[str, Any]:
    """What the code can name: arrays, sizes, settings, a mask, classes, pictures and a softmax."""
    draw = np.random.default_rng(0)
    known: dict[str, Any] = {name: draw.standard_normal(shape) for name, shape in SHAPES.items()}
    known |= {
        "self.gain": draw.standard_normal((5, 4)),
        "classes": draw.integers(0, 3, 5),
        "keep": draw.random(5) > 0.5,
    }
    known |= {
        "mask": draw.random((5, 4)) > 0.5,
        "alpha": 0.3,
        "pad": 1,
        "stride": 2,
        "n": 5,
        "image": draw.random((2, 3, 6, 6)),
    }
    known |= {"dimage": draw.random((2, 3, 8, 8)), "relu": np.maximum(known["x"], 0), "window": draw.random((2, 2))}
    known["p"] = np.exp(known["d"]) / np.exp(known["d"]).sum(axis=1, keepdims=True)
    known["y"] = np.exp(-(known["y"] ** 2))  # between 0 and 1, as what a sigmoid gives
    known["hit"] = (known["window"] > 0.5) * 1.0
    return known


def scope_of(text: str) -> SourceScope:
    """What can be named of all this, as far as a text names it: so few that all repairs are soon tried."""
    every = names()
    known = {name: value for name, value in every.items() if re.search(rf"\b{re.escape(name)}\b", text)}

    def evaluate(code: str) -> Any:
        own = {"np": np, **known, "self": types.SimpleNamespace(gain=every["self.gain"])}
        try:
            value = eval(code, own)
        except Exception:
            return None
        return value if isinstance(value, np.ndarray | np.number | int | float | tuple) else None

    left = {"dx": -(every["h"] * every["self.gain"]), "dW": 2 * (every["h"].T @ every["d"])}
    return SourceScope(
        known,
        ("dW = x.T @ d", "total = np.sum(d * y, axis=0)", "dh = h * 2 - x", "dq = d", "dr = x * h + h"),
        (3.0, 0.1),
        ("np.exp(-x)",),
        evaluate,
        left,
        (4.0, 1 / 3),
        windows=("b, i * stride:i * stride + 2",),
    )


# The lines of a backward pass that are wrong, those that are right, and what the mistake is called.
SLIPS = {
    "return in a loop": (
        "for t in range(3):\n    dx = dx * x\n    return dx",
        "for t in range(3):\n    dx = dx * x\nreturn dx",
        "return_in_loop",
    ),
    "forward in time": (
        "for t in range(3):\n    dx[t] = d",
        "for t in reversed(range(3)):\n    dx[t] = d",
        "wrong_direction",
    ),
    "backward in time": ("for t in reversed(range(3)):\n    f(t)", "for t in range(3):\n    f(t)", "wrong_direction"),
    "set to 0": ("dx[0] = 0\nreturn dx", "pass\nreturn dx", "stray_line"),
    "overwritten": ("dx[i:i + 2] = d", "dx[i:i + 2] += d", "not_accumulated"),
    "repeated indices": ("dW[classes] += d", "np.add.at(dW, classes, d)", "repeated_indices"),
    "taken off": ("dW += d", "dW -= d", "wrong_sign_of_term"),
    "added": ("dW -= d", "dW += d", "wrong_sign_of_term"),
    "tuple": ("x = ctx.saved_tensors", "(x,) = ctx.saved_tensors", "tuple_not_unpacked"),
    "a margin": (
        "a = x[j] - x[k]\ndx[j] += d",
        "a = x[j] - x[k]\ndx[j] += d\ndx[k] -= d",
        "branch_missing",
    ),
    "minus": ("return -d", "return d", "wrong_sign"),
    "gate": ("return d * (x > 0)", "return d * (x < 0)", "gate_inverted"),
    "gate or equal": ("return d * (x <= 0)", "return d * (x > 0)", "gate_inverted"),
    "reversed": ("return x[::-1]", "return x", "flipped_axis"),
    "a part": ("return x[1:]", "return x", "part_only"),
    "transposed": ("return x.T @ d", "return x @ d", "missing_transpose"),
    "order of a product": ("return x @ d", "return d @ x", "transposed_product"),
    "order in dot": ("return np.dot(x, d)", "return np.dot(d, x)", "transposed_product"),
    "order in matmul": ("return np.matmul(x, d)", "return np.matmul(d, x)", "transposed_product"),
    "term on the right": ("return d + x", "return d", "extra_term"),
    "term on the left": ("return d - x", "return x", "extra_term"),
    "plus": ("return d + x", "return d - x", "wrong_sign_of_term"),
    "minus in between": ("return d - x", "return d + x", "wrong_sign_of_term"),
    "factor on the right": ("return d * x", "return d", "stray_factor"),
    "factor on the left": ("return d * x", "return x", "stray_factor"),
    "divisor": ("return d / n", "return d", "stray_factor"),
    "multiplied": ("return d * alpha", "return d / alpha", "inverse_factor"),
    "divided": ("return d / alpha", "return d * alpha", "inverse_factor"),
    "a square": ("return d * x ** 2", "return d * x", "wrong_power"),
    "a power more": ("return d * x ** 2", "return d * x ** 3", "wrong_power"),
    "a power less": ("return d * x ** 3", "return d * x ** 2", "wrong_power"),
    "keepdims": ("return d.sum(axis=0, keepdims=True)", "return d.sum(axis=0)", "keepdims_too_many"),
    "mean": ("return np.mean(d, axis=0)", "return np.sum(d, axis=0)", "mean_for_sum"),
    "sum": ("return d.sum(axis=0)", "return d.mean(axis=0)", "sum_for_mean"),
    "minimum": ("return np.minimum(x, 0)", "return np.maximum(x, 0)", "opposite_function"),
    "sine": ("return d * np.sin(x)", "return d * np.cos(x)", "opposite_function"),
    "argmax": ("k = x.argmax(axis=1)", "k = x.argmin(axis=1)", "opposite_function"),
    "flip": ("return np.flip(d, 0)", "return d", "flipped_axis"),
    "roll": ("return np.roll(d, 1)", "return d", "flipped_axis"),
    "where": ("return np.where(x > 0, d, 0)", "return np.where(x > 0, 0, d)", "gate_inverted"),
    "swapped axes": ("return d.swapaxes(1, 2)", "return d", "missing_transpose"),
    "index before": ("dx[t] = h[t]", "dx[t] = h[t - 1]", "wrong_index"),
    "index after": ("dx[t] = h[t - 1]", "dx[t] = h[t]", "wrong_index"),
    "no transpose": ("return x @ d", "return x.T @ d", "missing_transpose"),
    "no swap of axes": ("return x @ d", "return x @ d.swapaxes(-1, -2)", "missing_transpose"),
    "axis": ("return d.sum(axis=1)", "return d.sum(axis=0)", "wrong_axis"),
    "no axis": ("return np.sum(d)", "return np.sum(d, axis=0, keepdims=True)", "wrong_axis"),
    "largest of all": ("m = x.max()", "m = x.max(axis=-1, keepdims=True)", "wrong_axis"),
    "number of forward": ("return 2 * d", "return 3.0 * d", "wrong_number"),
    "number 1": ("return 4 * d", "return 1 * d", "wrong_number"),
    "sign of a number": ("return 7 * d", "return -7 * d", "wrong_number"),
    "slope below 0": ("return np.where(x > 0, x, 0)", "return np.where(x > 0, x, 0.1 * x)", "slope_missing"),
    "written size": ("return d / 5", "return d / len(d)", "written_size"),
    "other size": ("return d / len(d)", "return d / d.size", "wrong_size"),
    "sign of a name": ("return d * x", "return d * -x", "wrong_sign"),
    "tanh": ("return d * (1 - y)", "return d * (1 - y ** 2)", "missing_local_derivative"),
    "square": ("return d * y", "return d * y ** 2", "missing_square"),
    "one minus": ("return x * h", "return x * (1 - h)", "missing_one_minus"),
    "tanh for its slope": ("return d * y", "return d * (1 - y ** 2)", "function_for_derivative"),
    "sigmoid for its slope": ("return d * y", "return d * (y * (1 - y))", "function_for_derivative"),
    "half a sigmoid": ("return d * (1 - y)", "return d * (y * (1 - y))", "missing_local_derivative"),
    "inverse": ("return d * y", "return d * (1 / y)", "inverse_factor"),
    "another array": ("return x * 2", "return h * 2", "wrong_array"),
    "another held array": ("return h * 2", "return self.gain * 2", "wrong_array"),
    "mask": ("dx = x", "dx = x * mask", "mask_missing"),
    "mask of samples": ("dx = x", "dx = x * keep[:, None]", "mask_missing"),
    "gate missing": ("dx = x", "dx = x * (relu > 0)", "missing_local_derivative"),
    "slope missing": ("dW = d", "dW = d * (1 - y ** 2)", "missing_local_derivative"),
    "sigmoid missing": ("dW = d", "dW = d * (y * (1 - y))", "missing_local_derivative"),
    "two": ("dx = x * h", "dx = 2 * (x * h)", "missing_factor"),
    "factor": ("dx = x", "dx = x * h", "missing_factor"),
    "a factor of forward": ("dx = x", "dx = x * np.exp(-x)", "missing_factor"),
    "division by an array": ("dx = x", "dx = x / h", "missing_division"),
    "division by a number": ("dx = x * h", "dx = x * h / n", "missing_division"),
    "softmax": ("return d * p", "return (d - (d * p).sum(axis=-1, keepdims=True)) * p", "missing_cross_terms"),
    "later steps": ("dx = x", "dx = x + dx", "time_not_carried"),
    "computed and not used": ("more = d * 2\nreturn x", "more = d * 2\nreturn x + dx", "missing_term"),
    "a term": ("return x", "return x - h", "missing_term"),
    "product rule": ("return x", "return x + h * self.gain", "product_rule"),
    "the mean of a normalization": ("return x", "return x - x.mean(axis=-1, keepdims=True)", "statistics_constant"),
    "its variance": ("return x", "return x - h * (x * h).mean(axis=-1, keepdims=True)", "statistics_constant"),
    "what is missing is known": ("dx = x", "dx = x - h * self.gain", "product_rule"),
    "a product is missing": ("dW = x", "dW = x + 2 * (h.T @ d)", "branch_missing"),
    "through a matrix": ("dx = d", "dx = d @ W.T", "missing_product"),
    "four times": ("dx = x", "dx = x / 4", "constant_factor"),
    "a third": ("dx = x", "dx = 3 * x", "constant_factor"),
    "updated before": ("W -= dW\ndx = d @ W.T", "dx = d @ W.T\nW -= dW", "updated_before"),
    "returned after the update": (
        "W -= dW\nreturn d @ W.T",
        "dinputs = d @ W.T\nW -= dW\nreturn dinputs",
        "updated_before",
    ),
    "mean of a loop": (
        "for i in range(3):\n    dW += x",
        "for i in range(3):\n    dW += x\ndW = dW / len(d)",
        "missing_division",
    ),
    "targets": ("p = out", "p = out\np[range(len(p)), classes] -= 1", "targets_not_subtracted"),
    "another window": ("a = x[b, i:i + 2]\ndx[b, i] += a", "a = x[b, i:i + 2]\ndx[b, i:i + 2] += a", "wrong_index"),
    "window of forward": ("dx[b, i:i + 2] += d", "dx[b, i * stride:i * stride + 2] += d", "wrong_index"),
    "stride": (
        "for i in range(2):\n    for j in range(2):\n        dx[b, i:i + 2, j:j + 2] += d",
        "for i in range(2):\n    for j in range(2):\n"
        "        dx[b, i * stride:i * stride + 2, j * stride:j * stride + 2] += d",
        "stride_missing",
    ),
    "two indices": ("dx[i, j] += d", "dx[j, i] += d", "wrong_index"),
    "whole columns": ("p[:, classes] -= 1", "p[range(len(classes)), classes] -= 1", "whole_columns"),
    "padding": ("return dimage", "return dimage[:, :, pad:-pad, pad:-pad]", "padding_not_removed"),
    "padding by a shape": (
        "return dimage",
        "return dimage[:, :, pad:pad + image.shape[2], pad:pad + image.shape[3]]",
        "padding_not_removed",
    ),
    "padding at the start": (
        "return dimage[:, :, :6, :6]",
        "return dimage[:, :, pad:pad + 6, pad:pad + 6]",
        "padding_not_removed",
    ),
    "not the largest": ("hit = window > 0", "hit = window == np.max(window)", "not_the_largest"),
    "every entry of a window": ("dx[i:j] += g", "dx[i:j] += (window == np.max(window)) * g", "not_the_largest"),
    "axes in another order": ("return x.transpose(1, 0, 2)", "return x.transpose(1, 2, 0)", "wrong_order"),
    "reshape for transpose": (
        "return image.reshape(6, -1)",
        "return image.transpose(1, 0, 2, 3).reshape(6, -1)",
        "wrong_order",
    ),
    "tile": ("return np.tile(x, (1, 2))", "return x.repeat(2, axis=1)", "wrong_order"),
    "outside the sum": ("total = np.sum(d, axis=0) * y", "total = np.sum(d * y, axis=0)", "factor_outside_the_sum"),
    "sign of the second term": ("dh = h * 2 + x", "dh = h * 2 - x", "wrong_sign_of_term"),
    "the right formula": ("dW = x @ d", "dW = x.T @ d", "missing_transpose"),
    "a wrong name": ("dq = y", "dq = d", "wrong_array"),
    "a term of a form": ("dr = x * h", "dr = x * h + h", "missing_term"),
    "a line more": ("return 1", "dq = d\nreturn 1", "wrong_formula"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_the_right_line_is_tried_under_the_name_of_the_slip(name: str) -> None:
    wrong, right, mistake = SLIPS[name]
    trees = [
        ast.parse("def backward(d, x, W):\n" + "\n".join(f"    {r}" for r in text.splitlines())).body[0]
        for text in (wrong, right)
    ]
    tree, wanted = trees
    assert isinstance(tree, ast.FunctionDef)
    found = []
    for group in repairs(tree, scope_of(f"{wrong}\n{right}")):
        for repair in group:
            new = copied_tree(tree)
            repair.change(list(ast.walk(new))[repair.place], new)
            if ast.unparse(ast.fix_missing_locations(new)) == ast.unparse(wanted):
                written = as_written("backward", tree, new, repair, frozenset())
                shown = f"line {written.line}: {written.was} -> {written.write}"
                found.append(f"{repair.mistake}: {repair.says} {shown}")
    assert mistake in [each.partition(":")[0] for each in found], found
    assert_recorded("repairs", name, found)
