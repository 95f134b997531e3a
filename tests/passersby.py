"""More small modules as strangers write them: optimizers held inside, switches, steps, shapes told late, boxes."""

from __future__ import annotations

from strangers import stranger

stranger(
    "a layer that holds its optimizer, which steps through a list in place",
    3,
    """
class Descent:
    def __init__(self, lr=0.01):
        self.lr, self.first = lr, None
    def update(self, parameters, gradients):
        if self.first is None:
            self.first = [np.zeros_like(p) for p in parameters]
        for i, (p, g) in enumerate(zip(parameters, gradients)):
            self.first[i] = 0.9 * self.first[i] + 0.1 * g
            p -= self.lr * self.first[i]
class Linear:
    def __init__(self, in_features, out_features):
        self.weight = np.random.randn(out_features, in_features)
        self.bias = np.zeros((out_features,))
        self._held = None
    @property
    def optimizer(self):
        if self._held is None:
            self._held = Descent()
        return self._held
    @optimizer.setter
    def optimizer(self, value):
        self._held = value
    def forward(self, x):
        self.input = x
        return x @ self.weight.T + self.bias
    def backward(self, upstream):
        back = upstream @ self.weight
        self.optimizer.update([self.weight, self.bias], [upstream.T @ self.input, np.sum(upstream, axis=0)])
        return back
""",
    ("np.sum(upstream, axis=0)", "np.mean(upstream, axis=0)"),
    ("back = upstream @ self.weight", "back = 2 * upstream @ self.weight"),
)

stranger(
    "batch norm with gamma as a parameter of its optimizer, and a switch that begins with inference",
    3,
    """
class SGD:
    def update(self, parameters, gradients):
        for p, g in zip(parameters, gradients):
            p -= 0.01 * g
class BatchNorm:
    def __init__(self, num_features, eps=1e-5):
        self.gamma, self.beta = np.random.rand(1, num_features) + 0.5, np.zeros((1, num_features))
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)
        self.optimizer, self._is_training, self.eps = SGD(), False, eps
    def forward(self, x):
        self.x = x
        self.mean, self.var = (x.mean(0), x.var(0)) if self._is_training else (self.running_mean, self.running_var)
        return self.gamma * (x - self.mean) / np.sqrt(self.var + self.eps) + self.beta
    def backward(self, d):
        m, std = len(d), np.sqrt(self.var + self.eps)
        hat = (self.x - self.mean) / std
        dhat = d * self.gamma
        self.optimizer.update([self.gamma, self.beta], [(d * hat).sum(0, keepdims=True), d.sum(0, keepdims=True)])
        return (dhat - dhat.mean(0) - hat * (dhat * hat).mean(0)) / std
""",
    ("(d * hat).sum(0, keepdims=True)", "(d * hat).mean(0, keepdims=True)"),
    ("- hat * (dhat * hat).mean(0)", ""),
)

stranger(
    "batch norm that takes its steps itself, with statistics that begin in training",
    1,
    """
class BatchNormal:
    def __init__(self):
        self.gamma, self.beta, self.eps = 1, 0.0, 1e-5
        self.mean, self.var = None, None
    def forward(self, x, training=True):
        if not training:
            return self.gamma * (x - self.mean) / np.sqrt(self.var + self.eps) + self.beta
        mu, var = np.mean(x, axis=0, keepdims=True), np.var(x, axis=0, keepdims=True)
        self.m, self.xmu, self.ivar = len(x), x - mu, 1 / np.sqrt(var + self.eps)
        self.mean = mu if self.mean is None else 0.95 * self.mean + 0.05 * mu
        self.var = var if self.var is None else 0.95 * self.var + 0.05 * var
        return self.gamma * self.xmu * self.ivar + self.beta
    def backward(self, dy, lr=0.09):
        dx = dy * self.gamma
        dx = self.m * dx - self.ivar**2 * np.sum(dx * self.xmu, axis=0) * self.xmu - np.sum(dx, axis=0)
        dx = self.ivar / self.m * dx
        self.beta -= lr * np.sum(dy, axis=0)
        self.gamma -= lr * np.sum(dy * self.xmu * self.ivar, axis=0)
        return dx
""",
    ("self.ivar / self.m * dx", "self.ivar * dx"),
)

stranger(
    "a network of layers whose backward hands nothing on",
    4,
    """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        self.dW, self.db = self.x.T @ grad, grad.sum(axis=0)
        return grad @ self.W.T
class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out
    def backward(self, grad):
        return grad * (1 - self.out ** 2)
class MLP:
    def __init__(self, sizes=(4, 6, 3)):
        self.layers = [Linear(sizes[0], sizes[1]), Tanh(), Linear(sizes[1], sizes[2])]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
""",
    ("reversed(self.layers)", "self.layers[:0:-2]"),
)

stranger(
    "methods under a decorator that does not name them",
    1,
    """
def logged(show=False):
    def around(function):
        def wrap(*args, **kwargs):
            result = function(*args, **kwargs)
            if show:
                print(function.__name__, result)
            return result
        return wrap
    return around
class Square:
    @logged()
    def forward(self, input_data):
        self.input = input_data
        return self._forward(input_data)
    @logged()
    def backward(self, upstream_gradients):
        return 2 * self.input * upstream_gradients
    def _forward(self, x):
        return x ** 2
""",
    ("2 * self.input", "self.input"),
)

stranger(
    "columns, one for each sample, and gradients for the caller to add up",
    3,
    """
class DenseLayer:
    def __init__(self, in_shape, out_shape):
        self.weights = {"W": np.random.randn(1, out_shape, in_shape), "b": np.random.randn(1, out_shape, 1)}
    def forward(self, inputs):
        return np.matmul(self.weights["W"], inputs) + self.weights["b"]
    def backward(self, inputs, prev_dev):
        dx = np.matmul(np.transpose(self.weights["W"], [0, 2, 1]), prev_dev)
        dw = np.matmul(prev_dev, np.transpose(inputs, [0, 2, 1]))
        return {"W": dw, "b": 1 * prev_dev, "x": dx}
""",
    ('"b": 1 * prev_dev', '"b": 2 * prev_dev'),
    ('"W": dw', '"W": dw.sum(axis=0, keepdims=True)'),
)

stranger(
    "arguments that are None by default, and shapes that are told late",
    6,
    """
class Affine:
    def __init__(self, in_features=None, out_features=None, scale=1.0):
        self.W, self.b = scale * np.random.randn(in_features, out_features), np.zeros(out_features)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, eta):
        self.dW, self.db = self.x.T @ eta, eta.sum(0)
        return eta @ self.W.T
class Dense:
    def __init__(self, output_num):
        self.output_num = output_num
    def OutShape(self, shape):
        self.weights = np.random.normal(0.0, 0.5, (shape[1], self.output_num))
        self.bias = np.zeros(self.output_num)
        return [shape[0], self.output_num]
    def forward(self, x):
        self.x = x
        return np.dot(self.x, self.weights) + self.bias
    def backward(self, eta):
        self.w_gradient = np.dot(self.x.T, eta)
        self.b_gradient = np.sum(eta, axis=0)
        return np.dot(eta, self.weights.T)
""",
    ("self.x.T @ eta, eta.sum(0)", "self.x.T @ eta, eta"),
    ("np.dot(self.x.T, eta)", "-np.dot(self.x.T, eta)"),
)

stranger(
    "boxes with slots",
    3,
    """
class Value:
    __slots__ = ["data", "grad", "_backward", "_prev"]
    def __init__(self, data, _children=()):
        self.data, self.grad, self._backward, self._prev = data, 0.0, None, tuple(_children)
    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))
        def _backward():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = _backward
        return out
    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))
        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out
    def backward(self):
        order, seen = [], set()
        def visit(v):
            if v not in seen:
                seen.add(v)
                for child in v._prev:
                    visit(child)
                order.append(v)
        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            if v._backward is not None:
                v._backward()
""",
    ("self.grad += other.data * out.grad", "self.grad += self.data * out.grad"),
)
