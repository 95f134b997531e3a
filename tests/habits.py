"""More of what strangers write: whole habits (courses, notebooks, dataclasses, slots), added to the same table."""

from __future__ import annotations

from strangers import stranger

__all__: list[str] = []


stranger(
    "course: a dict of parameters with strings as keys, cache tuples, samples in columns",
    5,
    """
def sigmoid(Z):
    A = 1 / (1 + np.exp(-Z))
    return A, Z

def relu(Z):
    A = np.maximum(0, Z)
    return A, Z

def sigmoid_backward(dA, cache):
    Z = cache
    s = 1 / (1 + np.exp(-Z))
    return dA * s * (1 - s)

def relu_backward(dA, cache):
    Z = cache
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ

def linear_forward(A, W, b):
    Z = np.dot(W, A) + b
    cache = (A, W, b)
    return Z, cache

def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = 1 / m * np.dot(dZ, A_prev.T)
    db = 1 / m * np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db

def linear_activation_forward(A_prev, W, b, activation):
    if activation == "sigmoid":
        Z, linear_cache = linear_forward(A_prev, W, b)
        A, activation_cache = sigmoid(Z)
    elif activation == "relu":
        Z, linear_cache = linear_forward(A_prev, W, b)
        A, activation_cache = relu(Z)
    cache = (linear_cache, activation_cache)
    return A, cache

def linear_activation_backward(dA, cache, activation):
    linear_cache, activation_cache = cache
    if activation == "relu":
        dZ = relu_backward(dA, activation_cache)
    elif activation == "sigmoid":
        dZ = sigmoid_backward(dA, activation_cache)
    return linear_backward(dZ, linear_cache)
""",
    ("s * (1 - s)", "s * (1 + s)"),
    ("1 / m * np.dot(dZ, A_prev.T)", "np.dot(dZ, A_prev.T)"),
    ("np.dot(W.T, dZ)", "np.dot(W.T, dZ) / m"),
    ("dZ[Z <= 0] = 0", "dZ[Z <= 0] = 1"),
)

stranger(
    "course: a network of two layers as functions over one dict",
    4,
    """
def forward_propagation(X, parameters):
    W1, b1, W2, b2 = parameters["W1"], parameters["b1"], parameters["W2"], parameters["b2"]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = 1 / (1 + np.exp(-Z2))
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2, "X": X, "W2": W2, "W1": W1}

def backward_propagation(dA2, cache):
    m = cache["X"].shape[1]
    dZ2 = dA2 * cache["A2"] * (1 - cache["A2"])
    dW2 = np.dot(dZ2, cache["A1"].T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(cache["W2"].T, dZ2) * (1 - np.power(cache["A1"], 2))
    dW1 = np.dot(dZ1, cache["X"].T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2, "dX": np.dot(cache["W1"].T, dZ1)}
""",
    ('(1 - np.power(cache["A1"], 2))', '(1 - cache["A1"])'),
    ('np.dot(dZ1, cache["X"].T) / m', 'np.dot(dZ1, cache["X"].T)'),
)

stranger(
    "layers that take the step themselves, with a base class",
    5,
    """
class Layer:
    def __init__(self):
        self.input = None
        self.output = None
    def forward(self, input):
        raise NotImplementedError
    def backward(self, grad, lr):
        raise NotImplementedError

class Dense(Layer):
    def __init__(self, input_size, output_size):
        super().__init__()
        self.weights = np.random.randn(output_size, input_size)
        self.bias = np.random.randn(output_size, 1)
    def forward(self, input):
        self.input = input
        return np.dot(self.weights, self.input) + self.bias
    def backward(self, grad, lr):
        weights_gradient = np.dot(grad, self.input.T)
        input_gradient = np.dot(self.weights.T, grad)
        self.weights -= lr * weights_gradient
        self.bias -= lr * np.sum(grad, axis=1, keepdims=True)
        return input_gradient

class Activation(Layer):
    def __init__(self, activation, activation_prime):
        super().__init__()
        self.activation = activation
        self.activation_prime = activation_prime
    def forward(self, input):
        self.input = input
        return self.activation(self.input)
    def backward(self, grad, lr):
        return np.multiply(grad, self.activation_prime(self.input))

class Tanh(Activation):
    def __init__(self):
        tanh = lambda x: np.tanh(x)
        tanh_prime = lambda x: 1 - np.tanh(x) ** 2
        super().__init__(tanh, tanh_prime)

class Sigmoid(Activation):
    def __init__(self):
        def sigmoid(x):
            return 1 / (1 + np.exp(-x))
        super().__init__(sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)))
""",
    ("np.dot(self.weights.T, grad)", "np.dot(self.weights.T, np.abs(grad))"),
    ("self.weights -= lr * weights_gradient", "self.weights -= lr * weights_gradient / 2"),
    ("1 - np.tanh(x) ** 2", "1 - np.tanh(x)"),
    ("sigmoid(x) * (1 - sigmoid(x))", "sigmoid(x) * (1 - x)"),
)

stranger(
    "dataclasses with slots and type hints",
    4,
    """
from dataclasses import dataclass, field
from numpy.typing import NDArray

@dataclass(slots=True)
class Parameter:
    value: NDArray[np.float64]
    grad: NDArray[np.float64] | None = None

@dataclass(slots=True)
class Linear:
    n_in: int
    n_out: int
    seed: int = 0
    weight: Parameter = field(init=False)
    bias: Parameter = field(init=False)
    _x: NDArray[np.float64] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.weight = Parameter(rng.normal(size=(self.n_in, self.n_out)))
        self.bias = Parameter(np.zeros(self.n_out))

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        self._x = x
        return x @ self.weight.value + self.bias.value

    def backward(self, upstream: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self._x is not None
        self.weight.grad = self._x.T @ upstream
        self.bias.grad = upstream.sum(axis=0)
        return upstream @ self.weight.value.T

class Softplus:
    __slots__ = ("beta", "_x")
    def __init__(self, beta: float = 2.0) -> None:
        self.beta = beta
    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        self._x = x
        return np.log1p(np.exp(self.beta * x)) / self.beta
    def backward(self, upstream: NDArray[np.float64]) -> NDArray[np.float64]:
        return upstream / (1 + np.exp(-self.beta * self._x))
""",
    ("self._x.T @ upstream", "self._x.T @ upstream / len(upstream)"),
    ("upstream.sum(axis=0)", "upstream.mean(axis=0)"),
    ("np.exp(-self.beta * self._x)", "np.exp(-self._x)"),
)

stranger(
    "closures: a layer is a function that returns forward and backward",
    3,
    """
def dense(x, W, b):
    out = x @ W + b
    def backward(dout):
        return dout @ W.T, x.T @ dout, dout.sum(axis=0)
    return out, backward
""",
    (
        "out = x @ W + b\n    def backward(dout):\n        return dout @ W.T, x.T @ dout, dout.sum(axis=0)",
        "out = x @ W + b\n    def backward(dout):\n        return dout @ W.T, x.T @ dout, dout.sum(axis=0) / len(x)",
    ),
)

stranger(
    "GRU cell with gates in attributes, gradients added up over the steps",
    8,
    """
class GRUCell:
    def __init__(self, input_size=4, hidden_size=3):
        s = np.random.RandomState(0)
        self.Wz, self.Wr, self.Wn = (s.randn(hidden_size, input_size) for _ in range(3))
        self.Uz, self.Ur, self.Un = (s.randn(hidden_size, hidden_size) for _ in range(3))
        self.dWz, self.dWr, self.dWn = (np.zeros_like(self.Wz) for _ in range(3))
        self.dUz, self.dUr, self.dUn = (np.zeros_like(self.Uz) for _ in range(3))

    def sigmoid(self, a):
        return 1 / (1 + np.exp(-a))

    def forward(self, x, h_prev):
        self.x, self.h = x, h_prev
        self.z = self.sigmoid(x @ self.Wz.T + h_prev @ self.Uz.T)
        self.r = self.sigmoid(x @ self.Wr.T + h_prev @ self.Ur.T)
        self.q = h_prev @ self.Un.T
        self.n = np.tanh(x @ self.Wn.T + self.r * self.q)
        return (1 - self.z) * self.n + self.z * h_prev

    def backward(self, delta):
        dz = delta * (self.h - self.n) * self.z * (1 - self.z)
        dn = delta * (1 - self.z) * (1 - self.n ** 2)
        dr = dn * self.q * self.r * (1 - self.r)
        self.dWz += dz.T @ self.x
        self.dWr += dr.T @ self.x
        self.dWn += dn.T @ self.x
        self.dUz += dz.T @ self.h
        self.dUr += dr.T @ self.h
        self.dUn += (dn * self.r).T @ self.h
        dx = dz @ self.Wz + dr @ self.Wr + dn @ self.Wn
        dh = delta * self.z + dz @ self.Uz + dr @ self.Ur + (dn * self.r) @ self.Un
        return dx, dh
""",
    ("self.dUn += (dn * self.r).T @ self.h", "self.dUn += dn.T @ self.h"),
    ("dh = delta * self.z + ", "dh = "),
    ("delta * (self.h - self.n)", "delta * self.h"),
)

stranger(
    "RNN cell that keeps a list of its steps, begun anew by a method",
    3,
    """
class Cell:
    def __init__(self, n_out):
        self.n_out, self.parameters, self.gradients = n_out, {"Waa": None, "Wax": None, "b": None}, {}
        self.ready = False

    def _begin(self):
        rng = np.random.default_rng(0)
        self.xs = []
        self.parameters = {"Waa": rng.normal(size=(self.n_out, self.n_out)),
                           "Wax": rng.normal(size=(self.n_in, self.n_out)), "b": np.zeros(self.n_out)}
        self.gradients = {k: np.zeros_like(v) for k, v in self.parameters.items()}
        self.kept = {"A": [], "step": 0, "sum": None}
        self.ready = True

    def forward(self, Xt):
        if not self.ready:
            self.n_in = Xt.shape[1]
            self._begin()
        self.kept["step"] += 1
        A = self.kept["A"]
        if len(A) == 0:
            A.append(np.zeros((len(Xt), self.n_out)))
        A.append(np.tanh(A[-1] @ self.parameters["Waa"] + Xt @ self.parameters["Wax"] + self.parameters["b"]))
        self.xs.append(Xt)
        return A[-1]

    def backward(self, dLdA):
        self.kept["step"] -= 1
        t, A = self.kept["step"], self.kept["A"]
        later = self.kept["sum"]
        if later is None:
            later = np.zeros_like(A[0])
        dZ = (dLdA + later) * (1 - A[t + 1] ** 2)
        self.gradients["Waa"] += A[t].T @ dZ
        self.gradients["Wax"] += self.xs[t].T @ dZ
        self.gradients["b"] += dZ.sum(axis=0)
        self.kept["sum"] = dZ @ self.parameters["Waa"].T
        return dZ @ self.parameters["Wax"].T

    def flush_gradients(self):
        self.xs = []
        for k in self.kept:
            self.kept[k] = []
        self.kept["step"] = 0
        for k, v in self.parameters.items():
            self.gradients[k] = np.zeros_like(v)
""",
    ("(1 - A[t + 1] ** 2)", "(1 - A[t] ** 2)"),
    ("dZ.sum(axis=0)", "dZ.mean(axis=0)"),
    ('dZ @ self.parameters["Wax"].T\n', 'dLdA @ self.parameters["Wax"].T\n'),
)

stranger(
    "attention of several heads with a mask of what comes later",
    5,
    """
class CausalSelfAttention:
    def __init__(self, d_model=4, n_heads=2):
        s = 1 / np.sqrt(d_model)
        self.h, self.d = n_heads, d_model // n_heads
        self.Wq, self.Wk, self.Wv, self.Wo = (s * np.random.randn(d_model, d_model) for _ in range(4))

    def split(self, a):
        B, T, C = a.shape
        return a.reshape(B, T, self.h, self.d).transpose(0, 2, 1, 3)

    def merge(self, a):
        B, H, T, D = a.shape
        return a.transpose(0, 2, 1, 3).reshape(B, T, H * D)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.split(x @ self.Wq), self.split(x @ self.Wk), self.split(x @ self.Wv)
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(self.d)
        mask = np.triu(np.ones((T, T), dtype=bool), 1)
        scores = np.where(mask, -1e9, scores)
        e = np.exp(scores - scores.max(-1, keepdims=True))
        p = e / e.sum(-1, keepdims=True)
        o = self.merge(p @ v)
        self.cache = x, q, k, v, p, o
        return o @ self.Wo

    def backward(self, dout):
        x, q, k, v, p, o = self.cache
        C = x.shape[-1]
        flat = lambda a: a.reshape(-1, C)
        self.dWo = flat(o).T @ flat(dout)
        do = self.split(dout @ self.Wo.T)
        dp, dv = do @ v.transpose(0, 1, 3, 2), p.transpose(0, 1, 3, 2) @ do
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(self.d)
        dq, dk, dv = self.merge(ds @ k), self.merge(ds.transpose(0, 1, 3, 2) @ q), self.merge(dv)
        self.dWq, self.dWk, self.dWv = flat(x).T @ flat(dq), flat(x).T @ flat(dk), flat(x).T @ flat(dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T
""",
    ("ds.transpose(0, 1, 3, 2) @ q", "ds @ q"),
    ("(dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(self.d)", "(dp - (dp * p).sum(-1, keepdims=True))"),
    ("+ dv @ self.Wv.T", ""),
)

stranger(
    "embedding tied to the scores of the words",
    1,
    """
class TiedLanguageModel:
    def __init__(self, vocab=6, dim=3):
        self.E = np.random.default_rng(1).normal(size=(vocab, dim))

    def forward(self, tokens):
        self.tokens = tokens
        self.h = self.E[tokens]
        return self.h @ self.E.T

    def backward(self, dscores):
        dh = dscores @ self.E
        V, D = self.E.shape
        self.dE = dscores.reshape(-1, V).T @ self.h.reshape(-1, D)
        np.add.at(self.dE, self.tokens, dh)
""",
    ("np.add.at(self.dE, self.tokens, dh)", "self.dE[self.tokens] += dh"),
    ("np.add.at(self.dE, self.tokens, dh)", "pass"),
)

stranger(
    "a convolution with loops, stride and padding as arguments of the constructor, a tuple for the kernel",
    3,
    """
class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=2, padding=1):
        kh, kw = kernel_size
        self.stride, self.padding = stride, padding
        self.kernels = np.random.randn(out_channels, in_channels, kh, kw) * 0.3
        self.biases = np.zeros(out_channels)

    def forward(self, images):
        n, c, h, w = images.shape
        f, _, kh, kw = self.kernels.shape
        p, s = self.padding, self.stride
        self.padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
        self.shape = images.shape
        out = np.zeros((n, f, (h + 2 * p - kh) // s + 1, (w + 2 * p - kw) // s + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                patch = self.padded[:, :, i * s:i * s + kh, j * s:j * s + kw]
                for k in range(f):
                    out[:, k, i, j] = np.sum(patch * self.kernels[k], axis=(1, 2, 3)) + self.biases[k]
        return out

    def backward(self, dout):
        n, c, h, w = self.shape
        f, _, kh, kw = self.kernels.shape
        p, s = self.padding, self.stride
        dpadded = np.zeros_like(self.padded)
        self.dkernels = np.zeros_like(self.kernels)
        self.dbiases = np.sum(dout, axis=(0, 2, 3))
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                patch = self.padded[:, :, i * s:i * s + kh, j * s:j * s + kw]
                for k in range(f):
                    g = dout[:, k, i, j][:, None, None, None]
                    self.dkernels[k] += np.sum(patch * g, axis=0)
                    dpadded[:, :, i * s:i * s + kh, j * s:j * s + kw] += self.kernels[k] * g
        return dpadded[:, :, p:p + h, p:p + w]
""",
    ("self.dkernels[k] += np.sum(patch * g, axis=0)", "self.dkernels[k] = np.sum(patch * g, axis=0)"),
    ("+= self.kernels[k] * g", "+= self.kernels[k][:, ::-1, ::-1] * g"),
    ("dpadded[:, :, p:p + h, p:p + w]", "dpadded[:, :, :h, :w]"),
)

stranger(
    "batch norm with a mode in a dict, and its short form",
    3,
    """
def batchnorm_forward(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    if mode == "train":
        mu = x.mean(axis=0)
        var = x.var(axis=0) + eps
        std = np.sqrt(var)
        z = (x - mu) / std
        out = gamma * z + beta
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mu
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
        return out, (z, std, gamma)
    return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta, None

def batchnorm_backward(dout, cache):
    z, std, gamma = cache
    N = len(dout)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * z).sum(axis=0)
    dz = dout * gamma
    dx = (N * dz - dz.sum(axis=0) - z * (dz * z).sum(axis=0)) / (N * std)
    return dx, dgamma, dbeta
""",
    ("- z * (dz * z).sum(axis=0)", ""),
    ("(dout * z).sum(axis=0)", "dout.sum(axis=0)"),
)

stranger(
    "inverted dropout as a function with a dict, and a block that uses it",
    2,
    """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    mask = None
    if mode == "train":
        mask = (np.random.rand(*x.shape) < p) / p
        out = x * mask
    else:
        out = x
    return out, (dropout_param, mask)

def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout

def affine_relu_drop_forward(x, w, b, dropout_param):
    a = x.reshape(len(x), -1) @ w + b
    out, drop = dropout_forward(np.maximum(a, 0), dropout_param)
    return out, (x, w, a, drop)

def affine_relu_drop_backward(dout, cache):
    x, w, a, drop = cache
    da = dropout_backward(dout, drop) * (a > 0)
    return (da @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ da, da.sum(axis=0)
""",
    ("return dout * mask if", "return dout * (mask > 0) if"),
    ("* (a > 0)", ""),
)

stranger(
    "generator of batches beside a regression in a class, weights made by fit alone",
    2,
    """
def batches(X, y, size=2):
    for i in range(0, len(X), size):
        yield X[i:i + size], y[i:i + size]

class LogisticRegression:
    def __init__(self, n_features=4, lam=0.1):
        self.w = np.random.default_rng(0).normal(size=n_features)
        self.b = 0.1
        self.lam = lam

    def predict_proba(self, X):
        return 1 / (1 + np.exp(-(X @ self.w + self.b)))

    def loss(self, X, y):
        p = self.predict_proba(X)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + self.lam * np.sum(self.w ** 2)

    def gradient(self, X, y):
        p = self.predict_proba(X)
        return X.T @ (p - y) / len(y) + 2 * self.lam * self.w, np.mean(p - y)

    def fit(self, X, y, epochs=10, lr=0.1):
        for _ in range(epochs):
            for xb, yb in batches(X, y):
                dw, db = self.gradient(xb, yb)
                self.w -= lr * dw
                self.b -= lr * db
""",
    ("2 * self.lam * self.w", "self.lam * self.w"),
    ("np.mean(p - y)", "np.sum(p - y)"),
    ("X.T @ (p - y) / len(y)", "X.T @ (p - y)"),
)

stranger(
    "functions of a tape: __call__ puts values into boxes, backward reads self.input",
    4,
    """
class Variable:
    def __init__(self, data):
        if data is not None and not isinstance(data, np.ndarray):
            raise TypeError(f"{type(data)} is not supported")
        self.data, self.grad, self.creator = data, None, None
    def set_creator(self, func):
        self.creator = func

def as_array(x):
    return np.array(x) if np.isscalar(x) else x

class Function:
    def __call__(self, *inputs):
        xs = [x.data for x in inputs]
        ys = self.forward(*xs)
        if not isinstance(ys, tuple):
            ys = (ys,)
        outputs = [Variable(as_array(y)) for y in ys]
        for output in outputs:
            output.set_creator(self)
        self.inputs, self.outputs = inputs, outputs
        return outputs if len(outputs) > 1 else outputs[0]
    def forward(self, xs):
        raise NotImplementedError()
    def backward(self, gys):
        raise NotImplementedError()

class Square(Function):
    def forward(self, x):
        return x ** 2
    def backward(self, gy):
        x = self.inputs[0].data
        return 2 * x * gy

class Mul(Function):
    def forward(self, x0, x1):
        return x0 * x1
    def backward(self, gy):
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        return gy * x1, gy * x0

class Exp(Function):
    def forward(self, x):
        return np.exp(x)
    def backward(self, gy):
        return np.exp(self.inputs[0].data) * gy
""",
    ("2 * x * gy", "x * gy"),
    ("gy * x1, gy * x0", "gy * x0, gy * x1"),
    ("np.exp(self.inputs[0].data) * gy", "self.inputs[0].data * gy"),
)

stranger(
    "layers that build their weights when they know the shape of the input",
    3,
    """
class Dense:
    def __init__(self, units, activation=None):
        self.units, self.activation, self.params, self.grads = units, activation, {}, {}
    def build(self, input_shape):
        self.params["W"] = np.random.randn(input_shape[-1], self.units) * 0.5
        self.params["b"] = np.zeros((1, self.units))
    def forward(self, X):
        self.X = X
        return X @ self.params["W"] + self.params["b"]
    def backward(self, dA):
        self.grads["W"] = self.X.T @ dA
        self.grads["b"] = dA.sum(axis=0, keepdims=True)
        return dA @ self.params["W"].T
""",
    ("self.X.T @ dA", "self.X.T @ dA / self.units"),
    ('dA @ self.params["W"].T', 'dA @ self.params["W"].T + 1'),
)

stranger(
    "inheritance three deep, template methods, a mixin that caches",
    3,
    """
from abc import ABC, abstractmethod

class CacheMixin:
    def remember(self, **arrays):
        self.__dict__.setdefault("_cache", {}).update(arrays)
    def recall(self, *names):
        return tuple(self._cache[n] for n in names)

class Module(ABC):
    def forward(self, *args):
        return self._forward(*args)
    def backward(self, grad):
        return self._backward(grad)
    @abstractmethod
    def _forward(self, x): ...
    @abstractmethod
    def _backward(self, grad): ...

class Parametrized(CacheMixin, Module):
    def __init__(self, **shapes):
        rng = np.random.default_rng(0)
        self._params = {k: rng.normal(size=s) for k, s in shapes.items()}
        self._grads = {k: None for k in shapes}

class Bilinear(Parametrized):
    def __init__(self, n_in: int, n_out: int):
        super().__init__(U=(n_in, n_out), V=(n_in, n_out))
    def _forward(self, x):
        u, v = x @ self._params["U"], x @ self._params["V"]
        self.remember(x=x, u=u, v=v)
        return u * v
    def _backward(self, grad):
        x, u, v = self.recall("x", "u", "v")
        self._grads["U"] = x.T @ (grad * v)
        self._grads["V"] = x.T @ (grad * u)
        return (grad * v) @ self._params["U"].T + (grad * u) @ self._params["V"].T
""",
    ("x.T @ (grad * u)", "x.T @ grad"),
    ('+ (grad * u) @ self._params["V"].T', ""),
)

stranger(
    "static methods, a loss and its derivative, one-hot targets that are asserted",
    1,
    """
class CrossEntropy:
    @staticmethod
    def loss(y, y_pred):
        assert set(np.unique(y)) <= {0.0, 1.0}, "targets must be binary"
        assert np.allclose(y_pred.sum(axis=1), 1), "predictions must add up to 1"
        return -np.sum(y * np.log(y_pred + 1e-12))

    @staticmethod
    def grad(y, y_pred):
        return -y / (y_pred + 1e-12)
""",
    ("-y / (y_pred + 1e-12)", "(y_pred - y)"),
)

stranger(
    "RNN cell whose backward wants the states by other names",
    6,
    """
class RNNCell:
    def __init__(self, input_size, hidden_size):
        rng = np.random.RandomState(1)
        self.W_ih, self.W_hh = rng.randn(hidden_size, input_size), rng.randn(hidden_size, hidden_size)
        self.b_ih, self.b_hh = rng.randn(hidden_size), rng.randn(hidden_size)
        self.zero_grad()
    def zero_grad(self):
        self.dW_ih, self.dW_hh = np.zeros_like(self.W_ih), np.zeros_like(self.W_hh)
        self.db_ih, self.db_hh = np.zeros_like(self.b_ih), np.zeros_like(self.b_hh)
    def forward(self, x, h_prev):
        return np.tanh(x @ self.W_ih.T + self.b_ih + h_prev @ self.W_hh.T + self.b_hh)
    def backward(self, delta, h, h_prev_l, h_prev_t):
        dz = delta * (1 - h ** 2)
        self.dW_ih += dz.T @ h_prev_l
        self.dW_hh += dz.T @ h_prev_t
        self.db_ih += dz.sum(axis=0)
        self.db_hh += dz.sum(axis=0)
        return dz @ self.W_ih, dz @ self.W_hh
""",
    ("self.dW_hh += dz.T @ h_prev_t", "self.dW_hh += delta.T @ h_prev_t"),
    ("return dz @ self.W_ih, dz @ self.W_hh", "return dz @ self.W_ih, delta @ self.W_hh"),
)

stranger(
    "the upstream gradient under a name that others give to the learning rate",
    1,
    """
class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(0, x)

    def backward(self, eta):
        return np.where(self.x > 0, eta, 0)
""",
    ("np.where(self.x > 0, eta, 0)", "np.where(self.x > 0, 1, 0) + 0 * eta"),
)

stranger(
    "a layer whose weights are made when it is told the shape, by a method of any name",
    3,
    """
class Linear:
    def __init__(self, n_out):
        self.n_out = n_out

    def wire(self, shape):
        fan_in = int(np.prod(shape[1:]))
        self.W = np.random.randn(fan_in, self.n_out) / fan_in
        self.b = np.random.randn(self.n_out) / fan_in
        return [shape[0], self.n_out]

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, delta):
        self.dW = self.x.T @ delta
        self.db = delta.sum(axis=0)
        return delta @ self.W.T
""",
    ("delta.sum(axis=0)", "delta.mean(axis=0)"),
)

stranger(
    "a layer that hands its gradients to an optimizer of its own, made when it is first asked for",
    3,
    """
class Momentum:
    def __init__(self, rate=0.01, friction=0.9):
        self.rate, self.friction, self.speeds = rate, friction, None

    def advance(self, weights, gradients):
        if self.speeds is None:
            self.speeds = [np.zeros_like(w) for w in weights]
        for v, w, g in zip(self.speeds, weights, gradients):
            v *= self.friction
            v += g
            w -= self.rate * v


class Block:
    def __init__(self, optimizer=None):
        self._optimizer = optimizer

    @property
    def optimizer(self):
        if self._optimizer is None:
            self._optimizer = Momentum()
        return self._optimizer


class Rescale(Block):
    def __init__(self, width):
        super().__init__()
        self.gamma, self.b = np.ones(width), np.zeros(width)

    def forward(self, x):
        self.x = x
        return x * self.gamma + self.b

    def backward(self, up):
        down = up * self.gamma
        self.optimizer.advance([self.gamma, self.b], [(self.x * up).sum(axis=0), up.sum(axis=0)])
        return down
""",
    ("up.sum(axis=0)", "up.sum(axis=0) / len(up)"),
    ("(self.x * up).sum(axis=0)", "-(self.x * up).sum(axis=0)"),
)

stranger(
    "a layer that begins in inference and has a switch of its own",
    3,
    """
class Normalize:
    def __init__(self, width, eps=1e-6):
        self.scale, self.shift, self.eps = np.ones(width), np.zeros(width), eps
        self.seen_mean, self.seen_var = np.zeros(width), np.ones(width)
        self._is_training = False

    def train(self, on=True):
        self._is_training = on

    def forward(self, x):
        if self._is_training:
            self.mean, self.var = x.mean(axis=0), x.var(axis=0)
            self.seen_mean = 0.9 * self.seen_mean + 0.1 * self.mean
            self.seen_var = 0.9 * self.seen_var + 0.1 * self.var
        else:
            self.mean, self.var = self.seen_mean, self.seen_var
        self.hat = (x - self.mean) / np.sqrt(self.var + self.eps)
        return self.scale * self.hat + self.shift

    def backward(self, up):
        self.dscale, self.dshift = (up * self.hat).sum(axis=0), up.sum(axis=0)
        g = up * self.scale
        return (g - g.mean(axis=0) - self.hat * (g * self.hat).mean(axis=0)) / np.sqrt(self.var + self.eps)
""",
    ("g - g.mean(axis=0) - self.hat", "g - self.hat"),
)

stranger(
    "losses whose arguments nobody can tell apart by their names",
    2,
    """
class Squares:
    def loss(self, soll, ist):
        return 0.5 * (soll - ist) ** 2

    def gradient(self, soll, ist):
        return ist - soll

def abstand(soll, ist):
    return np.mean((soll - ist) ** 2)

def abstand_prime(soll, ist):
    return 2 * (ist - soll) / np.size(ist)
""",
    ("2 * (ist - soll) / np.size(ist)", "2 * (ist - soll)"),
    ("return ist - soll", "return 2 * (ist - soll)"),
)

stranger(
    "a network whose loss gives the scores where its labels, of any name, are left out",
    2,
    """
class Net:
    def __init__(self, n_in=4, n_out=3):
        self.params = {"W": np.random.randn(n_in, n_out), "b": np.zeros(n_out)}

    def loss(self, X, etiquetas=None):
        scores = X @ self.params["W"] + self.params["b"]
        if etiquetas is None:
            return scores
        n = len(X)
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        d = p.copy()
        d[np.arange(n), etiquetas] -= 1
        d /= n
        return -np.log(p[np.arange(n), etiquetas]).mean(), {"W": X.T @ d, "b": d.sum(axis=0)}
""",
    ("d /= n", "d /= 1"),
)

stranger(
    "an optimizer that gives what its step leads to, options beside it, and another that may be missing",
    3,
    """
class Sgd:
    def __init__(self, rate=0.1):
        self.rate = rate

    def after(self, weights, gradient):
        return weights - self.rate * gradient


class Settings:
    def get(self, name, otherwise):
        return otherwise


class Dense:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.opt, self.later_opt, self.options = Sgd(), None, Settings()

    def forward(self, x):
        self.x = x
        return self.options.get("gain", 1.5) * (x @ self.W + self.b)

    def backward(self, up):
        g = 1.5 * up
        down = g @ self.W.T
        if self.later_opt is not None:
            self.later_opt.after(self.W, self.x.T @ g)
        self.W = self.opt.after(self.W, self.x.T @ g)
        self.b = self.opt.after(self.b, g.sum(axis=0))
        return down
""",
    ("self.b = self.opt.after(", "self.opt.after("),
    ("g.sum(axis=0)", "up.sum(axis=0)"),
)

stranger(
    "a layer that takes its steps with a momentum of its own",
    3,
    """
class Linear:
    def __init__(self, n_in, n_out, lr=0.01, momentum=0.9):
        self.w, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.vw, self.vb = np.zeros_like(self.w), np.zeros_like(self.b)
        self.lr, self.momentum = lr, momentum

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, g):
        dx = g @ self.w.T
        self.vw = self.momentum * self.vw - self.lr * self.x.T @ g
        self.vb = self.momentum * self.vb - self.lr * g.sum(axis=0)
        self.w += self.vw
        self.b += self.vb
        return dx
""",
    ("self.vb = self.momentum * self.vb - self.lr * g.sum(axis=0)", "self.vb = self.vb - self.lr * g.sum(axis=0)"),
    ("g.sum(axis=0)", "g.mean(axis=0)"),
)

stranger(
    "slots that hold an optimizer",
    2,
    """
class Sgd:
    def step(self, w, grad):
        w -= 0.1 * grad


class Scale:
    __slots__ = ("optimizer", "w", "x")

    def __init__(self):
        self.w, self.optimizer = np.ones(4), Sgd()

    def forward(self, x):
        self.x = x
        return x * self.w

    def backward(self, up):
        down = up * self.w
        self.optimizer.step(self.w, (self.x * up).sum(axis=0))
        return down
""",
    (".sum(axis=0)", ".mean(axis=0)"),
)
