"""check: the line to write is tried in the user's own source, shown only where it makes all right, and told once."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import numpy as np
import pytest

import visitors  # noqa: F401, more rows of the table of strangers
from chainrule import check
from chainrule.checking.files import found_in, load
from strangers import STRANGERS


class Slip(NamedTuple):
    right: str  # code whose gradients are right
    line: str  # a line of it
    wrong: str  # what stands there instead
    mistake: str  # what must be said first
    inputs: Any = None


DENSE = """
import numpy as np
class Dense:
    def __init__(self, n=4, m=3):
        self.W, self.b = np.random.randn(n, m), np.zeros(m)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T
"""

TWO = """
import numpy as np
def mlp_forward(x, w1, w2):
    h = np.tanh(x @ w1)
    o = np.tanh(h @ w2)
    return o, (x, w1, w2, h, o)
def mlp_backward(dout, cache):
    x, w1, w2, h, o = cache
    dz = dout * (1 - o ** 2)
    dh = dz @ w2.T
    da = dh * (1 - h ** 2)
    return da @ w1.T, x.T @ da, h.T @ dz
"""

BOTH = """
import numpy as np
class Both:
    def forward(self, inputs, y_true):
        e = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(self.output[range(len(inputs)), y_true]))
    def backward(self, dvalues, y_true):
        self.dinputs = dvalues.copy()
        self.dinputs[range(len(dvalues)), y_true] -= 1
        self.dinputs = self.dinputs / len(dvalues)
"""

CONV = """
import numpy as np
class Conv:
    def __init__(self, n=2, m=3, k=2):
        self.K = np.random.randn(m, n, k)
    def forward(self, x):
        self.x, k = x, self.K.shape[2]
        cols = [np.einsum('bnk,mnk->bm', x[:, :, t:t + k], self.K) for t in range(x.shape[2] - k + 1)]
        return np.stack(cols, axis=2)
    def backward(self, grad):
        dx, self.dK, k = np.zeros_like(self.x), np.zeros_like(self.K), self.K.shape[2]
        for t in range(grad.shape[2]):
            self.dK += np.einsum('bm,bnk->mnk', grad[:, :, t], self.x[:, :, t:t + k])
            dx[:, :, t:t + k] += np.einsum('bm,mnk->bnk', grad[:, :, t], self.K)
        return dx
"""

TABLE = """
import numpy as np
class Lookup:
    def __init__(self, words=5, size=2):
        self.table = np.random.randn(words, size)
    def forward(self, ids):
        self.ids = ids
        return self.table[ids]
    def backward(self, grad):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.ids, grad)
"""

STEPS = """
import numpy as np
def steps_forward(x, U, V):
    B, T, D = x.shape
    s = np.zeros((B, T + 1, V.shape[0]))
    for t in range(T):
        s[:, t] = np.tanh(x[:, t] @ U + s[:, t - 1] @ V)
    return s[:, :T], (x, s, U, V)
def steps_backward(ds, cache):
    x, s, U, V = cache
    B, T, D = x.shape
    dx, dU, dV = np.zeros_like(x), np.zeros_like(U), np.zeros_like(V)
    later = np.zeros((B, V.shape[0]))
    for t in reversed(range(T)):
        dz = (ds[:, t] + later) * (1 - s[:, t] ** 2)
        dx[:, t] = dz @ U.T
        later = dz @ V.T
        dU += x[:, t].T @ dz
        dV += s[:, t - 1].T @ dz
    return dx, dU, dV
"""

SCORES = """
import numpy as np
def scores_forward(q, k):
    r = 1 / np.sqrt(q.shape[-1])
    return q @ k.transpose(0, 2, 1) * r, (q, k, r)
def scores_backward(dout, cache):
    q, k, r = cache
    ds = dout * r
    return ds @ k, ds.transpose(0, 2, 1) @ q
"""

SKIP = """
import numpy as np
class Around:
    def __init__(self, n=4):
        self.A = np.random.randn(n, n)
    def forward(self, x):
        self.x, self.z = x, x @ self.A
        return x + np.maximum(self.z, 0)
    def backward(self, grad):
        g = grad * (self.z > 0)
        self.dA = self.x.T @ g
        return grad + g @ self.A.T
"""

NORM = """
import numpy as np
def norm_forward(x, gamma, beta):
    mu, n = x.mean(axis=0), len(x)
    v = ((x - mu) ** 2).mean(axis=0) + 1e-5
    xhat = (x - mu) * v ** -0.5
    return gamma * xhat + beta, (x - mu, v, xhat, gamma)
def norm_backward(dout, cache):
    c, v, xhat, gamma = cache
    dxhat = dout * gamma
    dv = (dxhat * c).sum(axis=0) * -0.5 * v ** -1.5
    dx = dxhat * v ** -0.5 + 2 * dv * c / len(dout)
    return dx - dx.mean(axis=0), (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""

UPDATING = """
import numpy as np
class Updating:
    def __init__(self, n=4, m=3):
        self.weight = np.random.randn(n, m)
    def forward(self, x):
        self.x = x
        return x @ self.weight
    def backward(self, output_gradient, learning_rate):
        dinputs = output_gradient @ self.weight.T
        self.weight -= learning_rate * self.x.T @ output_gradient
        return dinputs
"""

MARGIN = """
import numpy as np
def margin_loss(W, X, y):
    dW, loss = np.zeros(W.shape), 0.0
    for i in range(len(X)):
        s = X[i] @ W
        for j in range(W.shape[1]):
            if j != y[i] and s[j] - s[y[i]] + 1 > 0:
                loss += s[j] - s[y[i]] + 1
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss, dW
"""

PADDED = """
import numpy as np
def conv_forward(x, w, pad):
    n, c, high, k = len(x), x.shape[1], x.shape[2], w.shape[2]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    out = np.stack([np.einsum('bnk,mnk->bm', xp[:, :, t:t + k], w) for t in range(high + 2 * pad - k + 1)], axis=2)
    return out, (x, w, pad, xp)
def conv_backward(dout, cache):
    x, w, pad, xp = cache
    high, k = x.shape[2], w.shape[2]
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for t in range(dout.shape[2]):
        dw += np.einsum('bm,bnk->mnk', dout[:, :, t], xp[:, :, t:t + k])
        dxp[:, :, t:t + k] += np.einsum('bm,mnk->bnk', dout[:, :, t], w)
    return dxp[:, :, pad:pad + high], dw
"""

POOL = """
import numpy as np
class Pool:
    def __init__(self, k=2, s=2):
        self.k, self.s = k, s
    def forward(self, x):
        self.x, k, s = x, self.k, self.s
        n = (x.shape[2] - k) // s + 1
        return np.stack([x[:, :, t * s:t * s + k].max(axis=2) for t in range(n)], axis=2)
    def backward(self, grad):
        dx, k, s = np.zeros_like(self.x), self.k, self.s
        for b in range(len(dx)):
            for c in range(dx.shape[1]):
                for t in range(grad.shape[2]):
                    part = self.x[b:b + 1, c, t * s:t * s + k]
                    hit = part == np.max(part)
                    dx[b:b + 1, c, t * s:t * s + k] += hit * grad[b, c, t]
        return dx
"""

HEADS = STRANGERS["heads, whose number is guessed"].source
IGNORING = STRANGERS["a loss with an index that it ignores"].source
CLIPPED = """
import numpy as np
class Clipped:
    def forward(self, y_pred, y_true):
        p = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return -np.log(p[range(len(p)), y_true])
    def backward(self, dvalues, y_true):
        dvalues = np.clip(dvalues, 1e-7, 1 - 1e-7)
        self.dinputs = -np.eye(dvalues.shape[1])[y_true] / dvalues / len(dvalues)
"""

SLIPS = {
    "the padding left on one side": Slip(PADDED,
        "dxp[:, :, pad:pad + high]", "dxp[:, :, :high]", "padding_not_removed"),
    "the padding taken off twice": Slip(PADDED,
        "dxp[:, :, pad:pad + high]", "dxp[:, :, 2 * pad:]", "padding_not_removed"),
    "a stride left out": Slip(POOL,
        "dx[b:b + 1, c, t * s:t * s + k] +=", "dx[b:b + 1, c, t:t + k] +=", "wrong_index", "2x2x6"),
    "ones for the largest": Slip(POOL, "part == np.max(part)", "np.ones_like(part)", "not_the_largest", "2x2x6"),
    "reshaped, not transposed": Slip(HEADS, "dout.transpose(0, 2, 1, 3).reshape(shape)", "dout.reshape(shape)",
                                     "wrong_order"),
    "ignored samples": Slip(IGNORING, "d * keep[:, None] /", "d /", "mask_missing"),
    "clipped in forward only": Slip(CLIPPED,
        "        dvalues = np.clip(dvalues, 1e-7, 1 - 1e-7)\n", "", "clip_in_forward_only"),
    "a sum without its axis": Slip(DENSE, "self.db = grad.sum(axis=0)", "self.db = grad.sum()", "wrong_axis"),
    "an axis kept": Slip(DENSE,
        "self.db = grad.sum(axis=0)", "self.db = grad.sum(axis=0, keepdims=True)", "keepdims_too_many"),
    "divided by the batch": Slip(DENSE,
        "self.dW = self.x.T @ grad", "self.dW = self.x.T @ grad / len(grad)", "batch_mean_doubled"),
    "a transpose missing": Slip(DENSE, "return grad @ self.W.T", "return grad @ self.W", "missing_transpose"),
    "the output's derivative": Slip(TWO, "dz = dout * (1 - o ** 2)", "dz = dout", "missing_local_derivative"),
    "the hidden derivative": Slip(TWO, "da = dh * (1 - h ** 2)", "da = dh", "missing_local_derivative"),
    "a kernel flipped": Slip(CONV,
        "return dx", "self.dK = self.dK[:, :, ::-1]\n        return dx", "flipped_axis", "2x2x5"),
    "windows overwritten": Slip(CONV, "dx[:, :, t:t + k] += ", "dx[:, :, t:t + k] = ", "not_accumulated", "2x2x5"),
    "ended in the loop": Slip(CONV, "        return dx", "            return dx", "return_in_loop", "2x2x5"),
    "repeated indices": Slip(TABLE, "np.add.at(self.dtable, self.ids, grad)", "self.dtable[self.ids] += grad",
                             "repeated_indices", "ids"),
    "later steps left out": Slip(STEPS, "(ds[:, t] + later) *", "ds[:, t] *", "time_not_carried"),
    "the step after": Slip(STEPS, "dV += s[:, t - 1].T @ dz", "dV += s[:, t].T @ dz", "wrong_index"),
    "a power of the variance": Slip(NORM, "-0.5 * v ** -1.5", "-0.5 * v ** -0.5", "wrong_power"),
    "updated before": Slip(UPDATING,
        "dinputs = output_gradient @ self.weight.T\n        self.weight -= learning_rate * self.x.T @ output_gradient"
        "\n        return dinputs",
        "self.weight -= learning_rate * self.x.T @ output_gradient\n        return output_gradient @ self.weight.T",
        "updated_before"),
    "the right class": Slip(MARGIN, "dW[:, y[i]] -= X[i]", "pass", "branch_missing"),
    "its sign": Slip(MARGIN, "dW[:, y[i]] -= X[i]", "dW[:, y[i]] += X[i]", "wrong_sign_of_term"),
    "averaged over time": Slip(STEPS, "return dx, dU, dV", "return dx, dU / T, dV / T", "stray_factor"),
    "a scale forgotten": Slip(SCORES, "ds = dout * r", "ds = dout", "missing_factor", "2x3x4,2x3x4"),
    "keys not transposed": Slip(SCORES, "ds.transpose(0, 2, 1) @ q", "ds @ q", "missing_transpose", "2x3x4,2x3x4"),
    "the targets": Slip(BOTH,
        "self.dinputs[range(len(dvalues)), y_true] -= 1", "pass", "targets_not_subtracted"),
    "the way around": Slip(SKIP, "return grad + g @ self.A.T", "return g @ self.A.T", "branch_missing"),
}  # fmt: skip


def drawn(spec: Any) -> Any:
    """Inputs for a slip, as its row says it."""
    rng = np.random.default_rng(1)
    if spec is None:
        return None
    if spec == "ids":
        return np.array([1, 2, 2, 0, 4])
    parts = [rng.normal(size=tuple(map(int, part.split("x")))) for part in spec.split(",")]
    return parts[0] if len(parts) == 1 else tuple(parts)


def checked(path: Path, text: str, inputs: Any) -> Any:
    path.write_text(dedent(text))
    (item,) = found_in(load(path)).values()
    return check(item, drawn(inputs))


def with_line(text: str, diagnosis: Any) -> str:
    """The file after its reader has made the change that the report shows."""
    lines = text.splitlines()
    old = lines[diagnosis.line - 1]
    indent = old[: len(old) - len(old.lstrip())]
    if diagnosis.mistake == "return_in_loop":
        indent = indent[4:]
    end = diagnosis.line - 1 + len(diagnosis.was.splitlines())
    lines[diagnosis.line - 1 : end] = [indent + row for row in diagnosis.write.splitlines()]
    return "\n".join(lines)


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_the_line_shown_makes_the_file_right(slip: Slip, tmp_path: Path) -> None:
    assert checked(tmp_path / "right.py", slip.right, slip.inputs).passed
    text = slip.right.replace(slip.line, slip.wrong)
    assert text != slip.right
    report = checked(tmp_path / "wrong.py", text, slip.inputs)
    assert report.mistakes == (slip.mistake,)
    said = report.causes[0].diagnoses[0]
    assert said.line and f"line {said.line}" in str(report)
    assert checked(tmp_path / "mended.py", with_line(text, said), slip.inputs).passed


def test_one_cause_is_told_once(tmp_path: Path) -> None:
    slip = SLIPS["the output's derivative"]
    report = checked(tmp_path / "wrong.py", slip.right.replace(slip.line, slip.wrong), None)
    assert [(f.array, f.follows) for f in report.errors] == [("dx", ""), ("dw1", "dx"), ("dw2", "dx")]
    text = str(report)
    assert "1 thing is wrong" in text and "dw1, dw2 are wrong for the same reason" in text
    assert "missing_local_derivative" in report.to_html() or "1 - o ** 2" in report.to_html()


def test_the_code_is_as_it_was_after_lines_were_tried(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(DENSE.replace("self.db = grad.sum(axis=0)", "self.db = grad.sum()"))
    kind = load(path)["Dense"]
    before = kind.backward.__code__
    check(kind)
    assert kind.backward.__code__ is before


def test_no_line_is_shown_where_none_makes_all_right(tmp_path: Path) -> None:
    text = """
    import numpy as np
    class Odd:
        def forward(self, x):
            self.x = x
            return np.arctan(x) * np.log1p(x ** 2) ** 1.5
        def backward(self, grad):
            return grad * np.sinh(self.x)
    """
    report = checked(tmp_path / "wrong.py", text, None)
    assert not report.passed
    assert all(d.write == "" for f in report.errors for d in f.diagnoses)


@pytest.mark.usefixtures("brief_search")
def test_a_product_that_does_not_run_is_known_by_its_numbers_where_all_sizes_are_equal(tmp_path: Path) -> None:
    report = checked(tmp_path / "wrong.py", DENSE.replace("return grad @ self.W.T", "return grad @ self.W"), None)
    said = report.causes[0].diagnoses[0]
    assert said.mistake == "missing_transpose"
    assert "with all sizes 3 it runs" in said.evidence
