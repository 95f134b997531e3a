"""Small modules as strangers write them: each right, with twins that have one mistake each.

A row is a name, the source of a file, and what to replace in it for each of its wrong twins. `check_file` must pass the
right one with every gradient compared, and fail every twin.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["STRANGERS", "Stranger"]


class Stranger(NamedTuple):
    """A file, how many gradients must be compared in it, and its wrong twins: (what stands there, what instead)."""

    source: str
    gradients: int
    twins: tuple[tuple[str, str], ...]


STRANGERS: dict[str, Stranger] = {}


def stranger(name: str, gradients: int, source: str, *twins: tuple[str, str]) -> None:
    assert all(source.count(old) >= 1 for old, _ in twins), name
    STRANGERS[name] = Stranger("import numpy as np\n" + source, gradients, twins)


# Pairs of functions

stranger(
    "pair with arguments in another order",
    3,
    """
def dense_forward(W, x, b):
    return np.dot(x, W) + b, (W, x)
def dense_backward(grad, saved):
    W, x = saved
    return np.dot(x.T, grad), np.dot(grad, W.T), np.sum(grad, axis=0)
""",
    ("np.dot(grad, W.T)", "np.dot(grad, 2 * W.T)"),
    ("axis=0)", "axis=0) / len(x)"),
)

stranger(
    "pair, no cache: backward takes the arguments again",
    2,
    """
def scale_shift_forward(x, gamma):
    return x * gamma
def scale_shift_backward(dout, x, gamma):
    return dout * gamma, np.sum(dout * x, axis=0)
""",
    ("dout * gamma,", "dout,"),
    ("np.sum(dout * x, axis=0)", "np.sum(dout, axis=0)"),
)

stranger(
    "three layers in one pair",
    7,
    """
def net_forward(x, w1, b1, w2, b2, w3, b3):
    h1 = np.tanh(x @ w1 + b1)
    h2 = np.tanh(h1 @ w2 + b2)
    return h2 @ w3 + b3, (x, w1, w2, w3, h1, h2)
def net_backward(dout, cache):
    x, w1, w2, w3, h1, h2 = cache
    d2 = dout @ w3.T * (1 - h2 ** 2)
    d1 = d2 @ w2.T * (1 - h1 ** 2)
    return d1 @ w1.T, x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ dout, dout.sum(0)
""",
    ("(1 - h1 ** 2)", "(1 - h1)"),
    ("d2.sum(0)", "d2.mean(0)"),
)

stranger(
    "dict of gradients with other keys",
    3,
    """
def linear_forward(inputs, weights, bias):
    cache = {"inputs": inputs, "weights": weights}
    return inputs @ weights + bias, cache
def linear_backward(delta, cache):
    return {"grad_inputs": delta @ cache["weights"].T, "grad_weights": cache["inputs"].T @ delta,
            "grad_bias": delta.sum(axis=0)}
""",
    ('cache["inputs"].T @ delta', '(cache["inputs"].T @ delta) / 2'),
)

stranger(
    "settings in a dict, found by running",
    1,
    """
def drop_forward(x, drop_params):
    np.random.seed(drop_params.get("seed", 1))
    mask = (np.random.rand(*x.shape) < drop_params["keep_prob"]) / drop_params["keep_prob"]
    return x * mask, mask
def drop_backward(dout, cache):
    return dout * cache
""",
    ("return dout * cache", "return dout"),
)

stranger(
    "convolution pair",
    3,
    """
def conv_forward(x, w, b, stride=1, pad=1):
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="constant")
    Ho, Wo = (H + 2 * pad - HH) // stride + 1, (W + 2 * pad - WW) // stride + 1
    out = np.zeros((N, F, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            win = xp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
            out[:, :, i, j] = win.reshape(N, -1) @ w.reshape(F, -1).T + b
    return out, (x, w, b, stride, pad)
def conv_backward(dout, cache):
    x, w, b, stride, pad = cache
    F, C, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="constant")
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            d = dout[:, :, i, j]
            win = xp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
            dw += np.einsum("nf,nchw->fchw", d, win)
            dxp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW] += np.einsum("nf,fchw->nchw", d, w)
    return dxp[:, :, pad:-pad, pad:-pad], dw, dout.sum(axis=(0, 2, 3))
""",
    ("dout.sum(axis=(0, 2, 3))", "dout.mean(axis=(0, 2, 3))"),
    ('+= np.einsum("nf,fchw->nchw"', '= np.einsum("nf,fchw->nchw"'),
)

stranger(
    "average pooling pair",
    1,
    """
def avg_pool_forward(x):
    N, C, H, W = x.shape
    return x.reshape(N, C, H // 2, 2, W // 2, 2).mean(axis=(3, 5)), x.shape
def avg_pool_backward(dout, shape):
    return np.repeat(np.repeat(dout, 2, axis=2), 2, axis=3) / 4
""",
    ("/ 4", ""),
)

stranger(
    "layer norm pair",
    3,
    """
def layernorm_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(axis=1, keepdims=True)
    inv = 1 / np.sqrt(x.var(axis=1, keepdims=True) + eps)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (xhat, inv, gamma)
def layernorm_backward(dout, cache):
    xhat, inv, gamma = cache
    D = dout.shape[1]
    g = dout * gamma
    dx = inv / D * (D * g - g.sum(1, keepdims=True) - xhat * (g * xhat).sum(1, keepdims=True))
    return dx, (dout * xhat).sum(0), dout.sum(0)
""",
    ("D * g - g.sum(1, keepdims=True)", "D * g"),
    ("(dout * xhat).sum(0)", "dout.sum(0)"),
)

stranger(
    "LSTM over time, with the initial state left out",
    4,
    """
def sigmoid(a):
    return 1 / (1 + np.exp(-a))
def lstm_forward(x, Wx, Wh, b):
    N, T, D = x.shape
    H = Wh.shape[0]
    h, c = np.zeros((N, H)), np.zeros((N, H))
    steps, hs = [], []
    for t in range(T):
        a = x[:, t] @ Wx + h @ Wh + b
        i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H:2 * H]), sigmoid(a[:, 2 * H:3 * H])
        g = np.tanh(a[:, 3 * H:])
        new = f * c + i * g
        steps.append((x[:, t], h, c, i, f, o, g, np.tanh(new)))
        h, c = o * np.tanh(new), new
        hs.append(h)
    return np.stack(hs, axis=1), (steps, Wx, Wh)
def lstm_backward(dh, cache):
    steps, Wx, Wh = cache
    N, T, H = dh.shape
    dx = np.zeros((N, T, Wx.shape[0]))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H)
    dprev, dc = np.zeros((N, H)), np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        xt, h, c, i, f, o, g, tc = steps[t]
        d = dh[:, t] + dprev
        dc = dc + d * o * (1 - tc ** 2)
        da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), d * tc * o * (1 - o), dc * i * (1 - g ** 2)])
        dx[:, t], dprev, dc = da @ Wx.T, da @ Wh.T, dc * f
        dWx += xt.T @ da
        dWh += h.T @ da
        db += da.sum(0)
    return dx, dWx, dWh, db
""",
    ("d = dh[:, t] + dprev", "d = dh[:, t]"),
    ("dc = dc + d", "dc = d"),
)

stranger(
    "GRU step",
    5,
    """
def gru_step_forward(x, prev_h, Wx, Wh, b):
    H = prev_h.shape[1]
    ax, ah = x @ Wx + b, prev_h @ Wh
    r = 1 / (1 + np.exp(-(ax[:, :H] + ah[:, :H])))
    z = 1 / (1 + np.exp(-(ax[:, H:2 * H] + ah[:, H:2 * H])))
    n = np.tanh(ax[:, 2 * H:] + r * ah[:, 2 * H:])
    return (1 - z) * n + z * prev_h, (x, prev_h, Wx, Wh, r, z, n, ah[:, 2 * H:])
def gru_step_backward(dh, cache):
    x, prev_h, Wx, Wh, r, z, n, m = cache
    dn = dh * (1 - z) * (1 - n ** 2)
    dz = dh * (prev_h - n) * z * (1 - z)
    dr = dn * m * r * (1 - r)
    da, dah = np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])
    return da @ Wx.T, dah @ Wh.T + dh * z, x.T @ da, prev_h.T @ dah, da.sum(0)
""",
    ("+ dh * z", ""),
    ("dn * r])", "dn])"),
)

stranger(
    "attention with three projections",
    4,
    """
def attention_forward(x, Wq, Wk, Wv):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    s = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(-1, keepdims=True))
    a = e / e.sum(-1, keepdims=True)
    return a @ v, (x, Wq, Wk, Wv, q, k, v, a)
def attention_backward(dout, cache):
    x, Wq, Wk, Wv, q, k, v, a = cache
    da, dv = dout @ v.transpose(0, 2, 1), a.transpose(0, 2, 1) @ dout
    ds = a * (da - (da * a).sum(-1, keepdims=True)) / np.sqrt(q.shape[-1])
    dq, dk = ds @ k, ds.transpose(0, 2, 1) @ q
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    N, T, D = x.shape
    flat = x.reshape(N * T, D)
    return dx, *(flat.T @ d.reshape(N * T, -1) for d in (dq, dk, dv))
""",
    ("+ dv @ Wv.T", ""),
    (" / np.sqrt(q.shape[-1])\n    dq", "\n    dq"),
)

stranger(
    "samples in columns, mean taken inside",
    3,
    """
def linear_forward(A_prev, W, b):
    Z = np.dot(W, A_prev) + b
    return Z, (A_prev, W, b)
def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    return np.dot(W.T, dZ), np.dot(dZ, A_prev.T) / m, np.sum(dZ, axis=1, keepdims=True) / m
""",
    ("np.dot(dZ, A_prev.T) / m", "np.dot(dZ, A_prev.T)"),
    ("np.dot(W.T, dZ)", "np.dot(W.T, dZ) / m"),
)

stranger(
    "two caches",
    3,
    """
def act_forward(A, W, b):
    Z = W @ A + b
    return np.maximum(0, Z), (A, W), Z
def act_backward(dA, linear_cache, activation_cache):
    A, W = linear_cache
    dZ = dA * (activation_cache > 0)
    return W.T @ dZ, dZ @ A.T, dZ.sum(axis=1, keepdims=True)
""",
    ("dA * (activation_cache > 0)", "dA * (activation_cache < 0)"),
)

stranger(
    "activation with upstream and pre-activation",
    1,
    """
def relu(Z):
    return np.maximum(0, Z), Z
def relu_backward(dA, cache):
    dZ = np.array(dA, copy=True)
    dZ[cache <= 0] = 0
    return dZ
""",
    ("cache <= 0", "cache > 0"),
)

stranger(
    "functions beside their derivatives",
    5,
    """
def sigmoid(x): return 1 / (1 + np.exp(-x))
def d_sigmoid(x): return sigmoid(x) * (1 - sigmoid(x))
def softplus(x): return np.log(1 + np.exp(x))
def softplus_derivative(x): return 1 / (1 + np.exp(-x))
def gelu(x): return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))
def gelu_grad(x):
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x ** 2)
def mae(y_true, y_pred): return np.mean(np.abs(y_true - y_pred))
def mae_prime(y_true, y_pred): return np.sign(y_pred - y_true) / y_true.size
def cross_entropy(y, p): return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
def cross_entropy_derivative(y, p): return ((1 - y) / (1 - p) - y / p) / np.size(y)
""",
    ("sigmoid(x) * (1 - sigmoid(x))", "sigmoid(x)"),
    ("np.sign(y_pred - y_true)", "np.sign(y_true - y_pred)"),
    ("/ y_true.size", "/ 4"),
    ("(1 + 3 * 0.044715 * x ** 2)", "(1 + 0.044715 * x ** 2)"),
    ("/ np.size(y)", "/ len(y)"),
)

stranger(
    "derivative written for the output",
    1,
    """
def logistic(x): return 1 / (1 + np.exp(-x))
def logistic_prime(a): return a * (1 - a)
""",
    ("a * (1 - a)", "a * (1 + a)"),
)

stranger(
    "derivative is the Jacobian of each row",
    1,
    """
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def softmax_grad(x):
    s = softmax(x)
    return np.einsum("ni,ij->nij", s, np.eye(s.shape[1])) - np.einsum("ni,nj->nij", s, s)
""",
    ("- np.einsum", "+ np.einsum"),
)

# Losses

stranger(
    "softmax loss with class numbers",
    1,
    """
def softmax_cross_entropy(logits, labels):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    n = len(labels)
    loss = -np.log(p[np.arange(n), labels]).sum() / n
    dlogits = p.copy()
    dlogits[np.arange(n), labels] -= 1
    return loss, dlogits / n
""",
    ("return loss, dlogits / n", "return loss, dlogits"),
    ("/ n\n    dlogits", "/ 5\n    dlogits"),
)

stranger(
    "loss of a linear regression with a penalty",
    2,
    """
def ridge_cost(w, b, X, y, lam):
    error = X @ w + b - y
    cost = (error ** 2).mean() / 2 + lam * (w ** 2).sum()
    dw = X.T @ error / len(y) + 2 * lam * w
    db = error.mean()
    return cost, dw, db
""",
    ("2 * lam * w", "lam * w"),
    ("error.mean()", "error.sum()"),
)

stranger(
    "hinge loss with a loop",
    1,
    """
def svm_loss_naive(W, X, y, reg):
    dW = np.zeros(W.shape)
    loss = 0.0
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            margin = scores[j] - scores[y[i]] + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / X.shape[0] + reg * np.sum(W * W), dW / X.shape[0] + 2 * reg * W
""",
    ("dW[:, y[i]] -= X[i]", "pass"),
    ("2 * reg * W", "reg * W"),
)

stranger(
    "loss object: loss and gradient",
    2,
    """
class BinaryCE:
    def loss(self, y_true, y_pred):
        return -np.mean(y_true * np.log(y_pred) + (1 - y_true) * np.log(1 - y_pred))
    def gradient(self, y_true, y_pred):
        return (y_pred - y_true) / (y_pred * (1 - y_pred)) / y_true.size
class Huber:
    def __call__(self, pred, target):
        e = pred - target
        return np.where(np.abs(e) < 1, 0.5 * e ** 2, np.abs(e) - 0.5).sum() / len(pred)
    def backward(self, pred, target):
        e = pred - target
        return np.where(np.abs(e) < 1, e, np.sign(e)) / len(pred)
""",
    ("/ y_true.size", ""),
    ("np.where(np.abs(e) < 1, e, np.sign(e))", "np.where(np.abs(e) < 1, e, e)"),
)

stranger(
    "loss that keeps what backward needs",
    2,
    """
class CrossEntropyLoss:
    def forward(self, logits, target):
        z = logits - logits.max(axis=1, keepdims=True)
        self.p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        self.target = target
        return -np.log(self.p[np.arange(len(target)), target] + 1e-12).mean()
    def backward(self):
        d = self.p.copy()
        d[np.arange(len(d)), self.target] -= 1
        return d / len(d)
class MSELoss:
    def forward(self, pred, target):
        self.diff = pred - target
        return (self.diff ** 2).mean()
    def backward(self):
        return 2 * self.diff / self.diff.size
""",
    ("return d / len(d)", "return d / 5"),
    ("/ self.diff.size", "/ len(self.diff)"),
)

# Objects

stranger(
    "learning rate in the object",
    3,
    """
class Dense:
    def __init__(self, n_in=4, n_out=3, learning_rate=0.1):
        self.W, self.b, self.learning_rate = np.random.randn(n_in, n_out), np.zeros((1, n_out)), learning_rate
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        dx = grad @ self.W.T
        self.W -= self.learning_rate * self.x.T @ grad
        self.b -= self.learning_rate * grad.sum(axis=0, keepdims=True)
        return dx
""",
    ("self.learning_rate * self.x.T @ grad", "self.learning_rate * self.x.T @ grad / len(grad)"),
)

stranger(
    "step inside, rate as an argument",
    4,
    """
class FC:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_out, n_in)
        self.b = np.random.randn(n_out, 1)
    def forward(self, x):
        self.x = x
        return self.W @ x + self.b
    def backward(self, grad_out, lr):
        grad_in = self.W.T @ grad_out
        self.W -= lr * grad_out @ self.x.T
        self.b -= lr * grad_out.sum(axis=1, keepdims=True)
        return grad_in
class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out
    def backward(self, grad_out, lr):
        return grad_out * self.out * (1 - self.out)
""",
    (
        "grad_in = self.W.T @ grad_out\n        self.W -= lr * grad_out @ self.x.T",
        "self.W -= lr * grad_out @ self.x.T\n        grad_in = self.W.T @ grad_out",
    ),
    ("self.out * (1 - self.out)", "self.out"),
)

stranger(
    "parameters and gradients in two lists",
    3,
    """
class Affine:
    def __init__(self, n_in=4, n_out=3):
        self.params = [np.random.randn(n_in, n_out), np.zeros(n_out)]
        self.grads = [np.zeros_like(p) for p in self.params]
    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b
    def backward(self, dout):
        W, b = self.params
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.dot(dout, W.T)
""",
    ("self.grads[1][...] = np.sum(dout, axis=0)", "self.grads[1][...] = np.sum(dout)"),
)

stranger(
    "boxes with value and grad",
    3,
    """
class Param:
    def __init__(self, value):
        self.value, self.grad = value, None
class Linear:
    def __init__(self, n_in=4, n_out=3):
        self.weight, self.bias = Param(np.random.randn(n_in, n_out)), Param(np.zeros(n_out))
    def forward(self, x):
        self.x = x
        return x @ self.weight.value + self.bias.value
    def backward(self, dy):
        self.weight.grad = self.x.T @ dy
        self.bias.grad = dy.sum(0)
        return dy @ self.weight.value.T
""",
    ("self.x.T @ dy", "-self.x.T @ dy"),
)

stranger(
    "accumulated gradients",
    3,
    """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.W_grad, self.b_grad = np.zeros_like(self.W), np.zeros_like(self.b)
    def zero_grad(self):
        self.W_grad[:] = 0
        self.b_grad[:] = 0
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, g):
        self.W_grad += self.x.T @ g
        self.b_grad += g.sum(0)
        return g @ self.W.T
""",
    ("self.b_grad += g.sum(0)", "self.b_grad += g.mean(0)"),
)

stranger(
    "a stack of layers",
    5,
    """
class Linear:
    def __init__(self, n_in=4, n_out=4):
        self.w, self.b = np.random.randn(n_in, n_out) * 0.5, np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.w + self.b
    def backward(self, d):
        self.dw, self.db = self.x.T @ d, d.sum(0)
        return d @ self.w.T
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, d):
        return d * (1 - self.y ** 2)
class Net:
    def __init__(self):
        self.layers = [Linear(4, 5), Tanh(), Linear(5, 2)]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d
""",
    (
        "for layer in reversed(self.layers):\n            d = layer.backward(d)",
        "for layer in self.layers[::2][::-1]:\n            d = layer.backward(d)",
    ),
)

stranger(
    "returns everything in a tuple",
    3,
    """
class Layer:
    def __init__(self, n_in=4, n_out=3):
        self.W, self.b = np.random.randn(n_in, n_out), np.random.randn(n_out)
    def forward(self, X):
        self.X = X
        return X @ self.W + self.b
    def backward(self, dZ):
        return dZ @ self.W.T, (self.X.T @ dZ, dZ.sum(axis=0))
""",
    ("self.X.T @ dZ", "self.X.T @ dZ * 0.5"),
)

stranger(
    "backward gets the cache that forward returned",
    3,
    """
class Dense:
    def __init__(self, n_in=4, n_out=3):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        return np.tanh(x @ self.W + self.b), x
    def backward(self, dout, cache):
        t = np.tanh(cache @ self.W + self.b)
        da = dout * (1 - t ** 2)
        self.dW, self.db = cache.T @ da, da.sum(0)
        return da @ self.W.T
""",
    ("(1 - t ** 2)", "(1 - t)"),
)

stranger(
    "network: loss(X, y) gives loss and gradients",
    4,
    """
class Net:
    def __init__(self, D=4, H=5, C=3):
        self.p = dict(W1=np.random.randn(D, H) * 0.5, b1=np.zeros(H), W2=np.random.randn(H, C) * 0.5, b2=np.zeros(C))
    def loss(self, X, y):
        p, n = self.p, len(X)
        h = np.maximum(0, X @ p["W1"] + p["b1"])
        s = h @ p["W2"] + p["b2"]
        q = np.exp(s - s.max(1, keepdims=True))
        q /= q.sum(1, keepdims=True)
        loss = -np.log(q[range(n), y]).mean()
        q[range(n), y] -= 1
        q /= n
        dh = q @ p["W2"].T * (h > 0)
        return loss, {"W1": X.T @ dh, "b1": dh.sum(0), "W2": h.T @ q, "b2": q.sum(0)}
""",
    ("* (h > 0)", ""),
    ("q /= n\n", "\n"),
)

stranger(
    "network: cost and gradients, one output",
    2,
    """
class LogisticRegression:
    def __init__(self, n=4):
        self.w, self.b = np.random.randn(n, 1), np.zeros((1, 1))
    def cost(self, X, y):
        p = 1 / (1 + np.exp(-(X @ self.w + self.b)))
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    def gradients(self, X, y):
        p = 1 / (1 + np.exp(-(X @ self.w + self.b)))
        return X.T @ (p - y) / len(X), np.sum(p - y, keepdims=True) / len(X)
""",
    ("X.T @ (p - y) / len(X)", "X.T @ (p - y)"),
)

stranger(
    "two inputs",
    2,
    """
class Bilinear:
    def __init__(self, n=4):
        self.shape = n
    def forward(self, a, b):
        self.a, self.b = a, b
        return a * b
    def backward(self, d):
        return d * self.b, d * self.a
""",
    ("d * self.b, d * self.a", "d * self.a, d * self.b"),
)

stranger(
    "RNN cell as an object, two inputs, a cache",
    5,
    """
class RNNCell:
    def __init__(self, n_in=4, n_hidden=3):
        self.Wx, self.Wh = np.random.randn(n_in, n_hidden), np.random.randn(n_hidden, n_hidden)
        self.b = np.zeros(n_hidden)
    def forward(self, x, h_prev):
        self.cache = (x, h_prev, np.tanh(x @ self.Wx + h_prev @ self.Wh + self.b))
        return self.cache[2]
    def backward(self, dh):
        x, h_prev, h = self.cache
        da = dh * (1 - h * h)
        self.dWx, self.dWh, self.db = x.T @ da, h_prev.T @ da, da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T
""",
    ("da @ self.Wx.T, da @ self.Wh.T", "da @ self.Wx.T, da @ self.Wh"),
    ("h_prev.T @ da", "h.T @ da"),
)

stranger(
    "a layer that keeps its state",
    3,
    """
class StatefulRNN:
    def __init__(self, n_in=3, n_hidden=4):
        self.Wx, self.Wh = np.random.randn(n_in, n_hidden) * 0.5, np.random.randn(n_hidden, n_hidden) * 0.5
        self.h = None
    def forward(self, xs):
        N, T, D = xs.shape
        if self.h is None or len(self.h) != N:
            self.h = np.zeros((N, self.Wh.shape[0]))
        self.xs, self.hs = xs, [self.h]
        for t in range(T):
            self.hs.append(np.tanh(xs[:, t] @ self.Wx + self.hs[-1] @ self.Wh))
        self.h = self.hs[-1]
        return np.stack(self.hs[1:], axis=1)
    def backward(self, dhs):
        dxs, carried = np.zeros_like(self.xs), 0
        self.dWx, self.dWh = np.zeros_like(self.Wx), np.zeros_like(self.Wh)
        for t in reversed(range(dhs.shape[1])):
            da = (dhs[:, t] + carried) * (1 - self.hs[t + 1] ** 2)
            self.dWx += self.xs[:, t].T @ da
            self.dWh += self.hs[t].T @ da
            dxs[:, t], carried = da @ self.Wx.T, da @ self.Wh.T
        return dxs
""",
    ("(dhs[:, t] + carried)", "dhs[:, t]"),
)

stranger(
    "embedding",
    1,
    """
class Embedding:
    def __init__(self, vocabulary=8, size=3):
        self.table = np.random.randn(vocabulary, size)
    def forward(self, tokens):
        self.tokens = tokens
        return self.table[tokens]
    def backward(self, dout):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.tokens, dout)
""",
    ("np.add.at(self.dtable, self.tokens, dout)", "self.dtable[self.tokens] += dout"),
)

stranger(
    "two heads",
    3,
    """
class Heads:
    def __init__(self, n=4):
        self.Wa, self.Wb = np.random.randn(n, 2), np.random.randn(n, 3)
    def forward(self, x):
        self.x = x
        return x @ self.Wa, np.tanh(x @ self.Wb)
    def backward(self, da, db):
        g = db * (1 - np.tanh(self.x @ self.Wb) ** 2)
        self.dWa, self.dWb = self.x.T @ da, self.x.T @ g
        return da @ self.Wa.T + g @ self.Wb.T
""",
    ("da @ self.Wa.T + g @ self.Wb.T", "da @ self.Wa.T"),
)

stranger(
    "context functions",
    4,
    """
class Sigmoid:
    @staticmethod
    def forward(ctx, x):
        ctx.y = 1 / (1 + np.exp(-x))
        return ctx.y
    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.y * (1 - ctx.y)
class MatMul:
    @staticmethod
    def forward(ctx, a, w):
        ctx.save_for_backward(a, w)
        return a @ w
    @staticmethod
    def backward(ctx, grad):
        a, w = ctx.saved_tensors
        return grad @ w.T, a.T @ grad
class Square:
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 2
    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        return 2 * x * grad
""",
    ("grad @ w.T", "grad @ w.T / len(a)"),
    ("2 * x * grad", "x * grad"),
)

stranger(
    "activation objects with __call__ and derivative",
    3,
    """
class Tanh:
    def __call__(self, x): return np.tanh(x)
    def derivative(self, x): return 1 - np.tanh(x) ** 2
class SELU:
    def __init__(self):
        self.alpha, self.scale = 1.6732632423543772, 1.0507009873554805
    def __call__(self, x): return self.scale * np.where(x > 0, x, self.alpha * (np.exp(x) - 1))
    def derivative(self, x): return self.scale * np.where(x > 0, 1, self.alpha * np.exp(x))
class Softmax:
    def __call__(self, x):
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        return e / np.sum(e, axis=-1, keepdims=True)
    def backward(self, d, x):
        p = self(x)
        return p * (d - (d * p).sum(axis=-1, keepdims=True))
""",
    ("1 - np.tanh(x) ** 2", "1 - np.tanh(x)"),
    ("np.where(x > 0, 1, self.alpha * np.exp(x))", "np.where(x > 0, 1, np.exp(x))"),
    ("p * (d -", "(d -"),
)

stranger(
    "static activation classes",
    2,
    """
class ReLU:
    @staticmethod
    def activate(x): return np.maximum(x, 0)
    @staticmethod
    def derivative(x): return (x > 0).astype(float)
class Swish:
    @staticmethod
    def fn(z): return z / (1 + np.exp(-z))
    @staticmethod
    def grad(z):
        s = 1 / (1 + np.exp(-z))
        return s + z * s * (1 - s)
""",
    ("s + z * s * (1 - s)", "z * s * (1 - s)"),
)

stranger(
    "batch norm with a switch, for training alone",
    3,
    """
class BatchNorm:
    def __init__(self, n=4):
        self.gamma, self.beta = np.random.rand(n) + 0.5, np.zeros(n)
        self.running_mean, self.running_var = np.zeros(n), np.ones(n)
    def forward(self, x, training=True):
        if not training:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + 1e-5) + self.beta
        mu, var = x.mean(0), x.var(0)
        self.std = np.sqrt(var + 1e-5)
        self.xhat = (x - mu) / self.std
        self.running_mean = 0.9 * self.running_mean + 0.1 * mu
        self.running_var = 0.9 * self.running_var + 0.1 * var
        return self.gamma * self.xhat + self.beta
    def backward(self, d):
        self.dgamma, self.dbeta = (d * self.xhat).sum(0), d.sum(0)
        g = d * self.gamma
        return (g - g.mean(0) - self.xhat * (g * self.xhat).mean(0)) / self.std
""",
    ("g - g.mean(0) -", "g -"),
)

stranger(
    "float32 inside",
    3,
    """
class Dense32:
    def __init__(self, n_in=4, n_out=3):
        self.W = np.random.randn(n_in, n_out).astype(np.float32)
        self.b = np.zeros(n_out, dtype=np.float32)
    def forward(self, x):
        self.x = x.astype(np.float32)
        return (self.x @ self.W + self.b).astype(np.float32)
    def backward(self, d):
        self.dW = (self.x.T @ d).astype(np.float32)
        self.db = d.sum(axis=0).astype(np.float32)
        return (d @ self.W.T).astype(np.float32)
""",
    ("d.sum(axis=0)", "d.sum(axis=0) * 1.01"),
)

stranger(
    "max pooling with a stride of its own",
    1,
    """
class MaxPool:
    def __init__(self, size=2, stride=2):
        self.size, self.stride = size, stride
    def forward(self, x):
        n, c, h, w = x.shape
        self.x = x
        oh, ow = (h - self.size) // self.stride + 1, (w - self.size) // self.stride + 1
        out = np.zeros((n, c, oh, ow))
        for i in range(oh):
            for j in range(ow):
                a, b = i * self.stride, j * self.stride
                out[:, :, i, j] = x[:, :, a:a + self.size, b:b + self.size].max(axis=(2, 3))
        return out
    def backward(self, d):
        dx = np.zeros_like(self.x)
        for i in range(d.shape[2]):
            for j in range(d.shape[3]):
                a, b = i * self.stride, j * self.stride
                win = self.x[:, :, a:a + self.size, b:b + self.size]
                hit = win == win.max(axis=(2, 3), keepdims=True)
                dx[:, :, a:a + self.size, b:b + self.size] += hit * d[:, :, i, j, None, None]
        return dx
""",
    ("hit * d", "d"),
)

stranger(
    "one-dimensional convolution as an object",
    3,
    """
class Conv1D:
    def __init__(self, c_in=2, c_out=3, width=3):
        self.W, self.b = np.random.randn(c_out, c_in, width), np.zeros(c_out)
    def forward(self, x):
        n, c, length = x.shape
        self.x = x
        k = self.W.shape[2]
        out = [np.tensordot(x[:, :, t:t + k], self.W, axes=([1, 2], [1, 2])) + self.b for t in range(length - k + 1)]
        return np.stack(out, axis=2)
    def backward(self, d):
        k = self.W.shape[2]
        dx, self.dW = np.zeros_like(self.x), np.zeros_like(self.W)
        for t in range(d.shape[2]):
            self.dW += np.tensordot(d[:, :, t], self.x[:, :, t:t + k], axes=(0, 0))
            dx[:, :, t:t + k] += np.tensordot(d[:, :, t], self.W, axes=(1, 0))
        self.db = d.sum(axis=(0, 2))
        return dx
""",
    ("dx[:, :, t:t + k] +=", "dx[:, :, t:t + k] ="),
)

stranger(
    "meant so",
    0,
    """
class Binarize:
    def forward(self, x):
        return (x > 0).astype(float)
    def backward(self, d):
        return d  # on purpose: straight through
""",
    ("  # on purpose: straight through", ""),
)

stranger(
    "names of the past: fprop and bprop",
    3,
    """
class Affine:
    def __init__(self, n_in=4, n_out=3):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def fprop(self, inputs):
        self.inputs = inputs
        return inputs @ self.W + self.b
    def bprop(self, grads):
        self.grad_W, self.grad_b = self.inputs.T @ grads, grads.sum(0)
        return grads @ self.W.T
""",
    ("self.inputs.T @ grads", "self.inputs.T @ grads / 3"),
)

stranger(
    "gradient by the point where it is taken",
    1,
    """
class Cube:
    def forward(self, x): return x ** 3
    def backward(self, x, grad): return 3 * x ** 2 * grad
""",
    ("3 * x ** 2", "x ** 2"),
)

stranger(
    "a file that trains at its end and reads data",
    3,
    """
import somewhere_else
from .nowhere import thing
DATA = open("does_not_exist.csv").read()
SCALE = 0.5
class Layer:
    def __init__(self, n_in=4, n_out=3):
        self.W, self.b = SCALE * np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(0)
        return d @ self.W.T
while True:
    somewhere_else.train(Layer(), DATA)
""",
    ("self.x.T @ d", "self.x.T @ (d * d)"),
)


stranger(
    "bias in a row, keepdims in its gradient",
    3,
    """
def fc_forward(x, W, b):
    return x @ W + b, (x, W)
def fc_backward(dy, cache):
    x, W = cache
    return dy @ W.T, x.T @ dy, np.sum(dy, axis=0, keepdims=True)
""",
    ("np.sum(dy, axis=0, keepdims=True)", "np.mean(dy, axis=0, keepdims=True)"),
)

stranger(
    "forward and backward of a whole file",
    3,
    """
def forward_pass(X, W, b):
    Z = X @ W + b
    return 1 / (1 + np.exp(-Z)), (X, W, Z)
def backward_pass(dA, cache):
    X, W, Z = cache
    s = 1 / (1 + np.exp(-Z))
    dZ = dA * s * (1 - s)
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)
""",
    ("dA * s * (1 - s)", "dA * s"),
)

stranger(
    "group of heads in einsum",
    3,
    """
def mix_forward(x, w, b):
    return np.einsum("btd,dh->bth", x, w) + b, (x, w)
def mix_backward(dout, cache):
    x, w = cache
    return np.einsum("bth,dh->btd", dout, w), np.einsum("btd,bth->dh", x, dout), dout.sum(axis=(0, 1))
""",
    ("dout.sum(axis=(0, 1))", "dout.sum(axis=1).mean(axis=0)"),
)

stranger(
    "PReLU with one slope",
    2,
    """
class PReLU:
    def __init__(self):
        self.alpha = np.array([0.25])
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)
    def backward(self, d):
        self.dalpha = np.array([(d * np.minimum(self.x, 0)).sum()])
        return np.where(self.x > 0, d, self.alpha * d)
""",
    ("np.minimum(self.x, 0)", "np.maximum(self.x, 0)"),
)

stranger(
    "residual block with a projection",
    3,
    """
class Residual:
    def __init__(self, n=4):
        self.W1, self.W2 = np.random.randn(n, n) * 0.5, np.random.randn(n, n) * 0.5
    def forward(self, x):
        self.x, self.h = x, np.maximum(x @ self.W1, 0)
        return self.h + x @ self.W2
    def backward(self, d):
        g = d * (self.h > 0)
        self.dW1, self.dW2 = self.x.T @ g, self.x.T @ d
        return g @ self.W1.T + d @ self.W2.T
""",
    ("g @ self.W1.T + d @ self.W2.T", "g @ self.W1.T + d"),
)

stranger(
    "gradients in a dict named grad",
    3,
    """
class Linear:
    def __init__(self, n_in=4, n_out=2):
        self.params = {"weight": np.random.randn(n_in, n_out), "bias": np.zeros(n_out)}
        self.grad = {}
    def forward(self, x):
        self.x = x
        return x @ self.params["weight"] + self.params["bias"]
    def backward(self, upstream):
        self.grad["weight"] = self.x.T @ upstream
        self.grad["bias"] = upstream.sum(axis=0)
        return upstream @ self.params["weight"].T
""",
    ('self.grad["weight"] = self.x.T @ upstream', 'self.grad["weight"] = self.x.T @ (2 * upstream)'),
)

stranger(
    "nabla and delta",
    3,
    """
class Layer:
    def __init__(self, n_in=4, n_out=3):
        self.w, self.b = np.random.randn(n_in, n_out), np.random.randn(n_out)
    def forward(self, a):
        self.a = a
        self.z = a @ self.w + self.b
        return np.tanh(self.z)
    def backward(self, delta):
        delta = delta * (1 - np.tanh(self.z) ** 2)
        self.nabla_w, self.nabla_b = self.a.T @ delta, delta.sum(axis=0)
        return delta @ self.w.T
""",
    ("delta.sum(axis=0)", "delta.sum(axis=0) + 1"),
)

stranger(
    "a global average over time",
    1,
    """
class MeanOverTime:
    def forward(self, x):
        N, T, D = x.shape
        self.shape = x.shape
        return x.mean(axis=1)
    def backward(self, d):
        N, T, D = self.shape
        return np.repeat(d[:, None, :], T, axis=1) / T
""",
    ("/ T", "/ 4"),
)

stranger(
    "instance normalization of pictures",
    3,
    """
class InstanceNorm:
    def __init__(self, channels=2):
        self.gamma, self.beta = np.random.rand(channels) + 0.5, np.zeros(channels)
    def forward(self, x):
        n, c, h, w = x.shape
        self.inv = 1 / np.sqrt(x.var(axis=(2, 3), keepdims=True) + 1e-5)
        self.xhat = (x - x.mean(axis=(2, 3), keepdims=True)) * self.inv
        return self.gamma[:, None, None] * self.xhat + self.beta[:, None, None]
    def backward(self, d):
        self.dgamma, self.dbeta = (d * self.xhat).sum(axis=(0, 2, 3)), d.sum(axis=(0, 2, 3))
        g = d * self.gamma[:, None, None]
        mean = lambda a: a.mean(axis=(2, 3), keepdims=True)
        return self.inv * (g - mean(g) - self.xhat * mean(g * self.xhat))
""",
    ("self.xhat * mean(g * self.xhat)", "self.xhat * g"),
    ("sum(axis=(0, 2, 3)), d.sum", "sum(axis=(0, 2, 3)) / 2, d.sum"),
)

stranger(
    "a loss for scores of signs",
    1,
    """
class HingeLoss:
    def forward(self, scores, y):
        self.scores, self.y = scores, y
        return np.maximum(0, 1 - y * scores).mean()
    def backward(self):
        return np.where(1 - self.y * self.scores > 0, -self.y, 0) / self.y.size
""",
    ("> 0, -self.y", "> 0, self.y"),
    ("/ self.y.size", "/ len(self.y)"),
)

stranger(
    "cosine loss with two parts",
    1,
    """
def kl_loss(log_p, q):
    loss = np.sum(q * (np.log(q) - log_p)) / len(q)
    dlog_p = -q / len(q)
    return loss, dlog_p
""",
    ("-q / len(q)", "-q"),
)

stranger(
    "dropout with a mask of its own generator",
    1,
    """
class Dropout:
    def __init__(self, p=0.4, seed=0):
        self.p, self.rng = p, np.random.default_rng(seed)
    def forward(self, x, training=True):
        self.mask = (self.rng.random(x.shape) > self.p) / (1 - self.p) if training else np.ones_like(x)
        return x * self.mask
    def backward(self, d):
        return d * self.mask
""",
    ("return d * self.mask", "return d * (self.mask > 0)"),
)

stranger(
    "softmax of each row by its Jacobian",
    1,
    """
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.out = e / e.sum(axis=1, keepdims=True)
        return self.out
    def backward(self, d):
        dx = np.empty_like(d)
        for i, (p, g) in enumerate(zip(self.out, d)):
            p = p.reshape(-1, 1)
            dx[i] = (np.diagflat(p) - p @ p.T) @ g
        return dx
""",
    ("np.diagflat(p) - p @ p.T", "np.diagflat(p)"),
)
