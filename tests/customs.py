"""More of what strangers write: code of courses, books and blogs that was refused or misread at first."""

from __future__ import annotations

from strangers import stranger

__all__: list[str] = []


stranger(
    "a character model in globals: one loss function over integers, a state behind the gradients",
    5,
    """
# a character model: one hidden layer, text as integers
data = "hello world, hello all"
chars = sorted(set(data))
vocab_size = len(chars)
char_to_ix = {ch: i for i, ch in enumerate(chars)}
hidden_size = 6
seq_length = 5
learning_rate = 1e-1
Wxh = np.random.randn(hidden_size, vocab_size) * 0.1
Whh = np.random.randn(hidden_size, hidden_size) * 0.1
Why = np.random.randn(vocab_size, hidden_size) * 0.1
bh = np.zeros((hidden_size, 1))
by = np.zeros((vocab_size, 1))

def lossFun(inputs, targets, hprev):
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs) - 1]

n, p = 0, 0
while n < 3:
    n += 1
""",
    ("np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)"),
)


stranger(
    "one sample at a time, the loss written as its derivative alone",
    5,
    """
import random

class Network(object):
    def __init__(self, sizes):
        self.num_layers = len(sizes)
        self.sizes = sizes
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activation = x
        activations = [x]
        zs = []
        for b, w in zip(self.biases, self.weights):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        delta = self.cost_derivative(activations[-1], y) * sigmoid_prime(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, self.num_layers):
            z = zs[-l]
            sp = sigmoid_prime(z)
            delta = np.dot(self.weights[-l + 1].transpose(), delta) * sp
            nabla_b[-l] = delta
            nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
        return (nabla_b, nabla_w)

    def cost_derivative(self, output_activations, y):
        return (output_activations - y)

def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))
""",
)


stranger(
    "a network whose backward takes the targets and names no loss",
    4,
    """
class MLP:
    def __init__(self, n_in, n_hidden, n_out, seed=0):
        rng = np.random.default_rng(seed)
        self.W1 = rng.normal(size=(n_in, n_hidden))
        self.b1 = np.zeros((1, n_hidden))
        self.W2 = rng.normal(size=(n_hidden, n_out))
        self.b2 = np.zeros((1, n_out))
    def forward(self, X):
        self.z1 = X @ self.W1 + self.b1
        self.a1 = np.tanh(self.z1)
        z = self.a1 @ self.W2 + self.b2
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.out = e / e.sum(axis=1, keepdims=True)
        return self.out
    def backward(self, X, y):
        m = X.shape[0]
        dz2 = (self.out - y) / m
        self.dW2 = self.a1.T @ dz2
        self.db2 = dz2.sum(axis=0, keepdims=True)
        dz1 = dz2 @ self.W2.T * (1 - self.a1 ** 2)
        self.dW1 = X.T @ dz1
        self.db1 = dz1.sum(axis=0, keepdims=True)
""",
)


stranger(
    "a dict of parameters, rows of biases, one output, the loss a function beside it",
    4,
    """
np.random.seed(1)
X_train = np.random.randn(8, 3)
y_train = np.random.randint(0, 2, (8, 1))

def init_params(n_x, n_h, n_y):
    return {"W1": np.random.randn(n_x, n_h), "b1": np.zeros((1, n_h)),
            "W2": np.random.randn(n_h, n_y), "b2": np.zeros((1, n_y))}

def forward(params, X):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ params["W2"] + params["b2"]
    A2 = 1 / (1 + np.exp(-Z2))
    return A2, (Z1, A1, Z2, A2)

def bce(A2, Y):
    return -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))

def backward(params, cache, X, Y):
    Z1, A1, Z2, A2 = cache
    m = X.shape[0]
    dZ2 = (A2 - Y) / m
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0, keepdims=True)
    dA1 = dZ2 @ params["W2"].T
    dZ1 = dA1 * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0, keepdims=True)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}

params = init_params(3, 4, 1)
for i in range(10):
    A2, cache = forward(params, X_train)
    grads = backward(params, cache, X_train, y_train)
""",
    ("dZ2 = (A2 - Y) / m", "dZ2 = (A2 - Y)"),
)


stranger(
    "course: gradients first and the cost behind them, the bias a number",
    2,
    """
def sigmoid(z):
    s = 1 / (1 + np.exp(-z))
    return s

def initialize_with_zeros(dim):
    w = np.zeros((dim, 1))
    b = 0.0
    return w, b

def propagate(w, b, X, Y):
    '''
    w -- weights, a numpy array of size (num_px * num_px * 3, 1)
    b -- bias, a scalar
    X -- data of size (num_px * num_px * 3, number of examples)
    Y -- true "label" vector of size (1, number of examples)
    '''
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    dw = 1 / m * np.dot(X, (A - Y).T)
    db = 1 / m * np.sum(A - Y)
    cost = np.squeeze(np.array(cost))
    grads = {"dw": dw, "db": db}
    return grads, cost

def optimize(w, b, X, Y, num_iterations=100, learning_rate=0.009, print_cost=False):
    costs = []
    for i in range(num_iterations):
        grads, cost = propagate(w, b, X, Y)
        w = w - learning_rate * grads["dw"]
        b = b - learning_rate * grads["db"]
        if i % 100 == 0:
            costs.append(cost)
    return {"w": w, "b": b}, grads, costs
""",
    ("dw = 1 / m * np.dot(X, (A - Y).T)", "dw = np.dot(X, (A - Y).T)"),
    ("db = 1 / m * np.sum(A - Y)", "db = 1 / m * np.sum(Y - A)"),
)


stranger(
    "course: as many layers as the dict of parameters tells",
    4,
    """
def L_model_forward(X, parameters):
    caches = []
    A = X
    L = len(parameters) // 2
    for l in range(1, L):
        A_prev = A
        W, b = parameters["W" + str(l)], parameters["b" + str(l)]
        Z = np.dot(W, A_prev) + b
        A = np.maximum(0, Z)
        caches.append(((A_prev, W, b), Z))
    W, b = parameters["W" + str(L)], parameters["b" + str(L)]
    Z = np.dot(W, A) + b
    AL = 1 / (1 + np.exp(-Z))
    caches.append(((A, W, b), Z))
    return AL, caches

def compute_cost(AL, Y):
    m = Y.shape[1]
    cost = -np.sum(np.multiply(np.log(AL), Y) + np.multiply(1 - Y, np.log(1 - AL))) / m
    return np.squeeze(cost)

def L_model_backward(AL, Y, caches):
    grads = {}
    L = len(caches)
    m = AL.shape[1]
    Y = Y.reshape(AL.shape)
    dAL = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    (A_prev, W, b), Z = caches[L - 1]
    s = 1 / (1 + np.exp(-Z))
    dZ = dAL * s * (1 - s)
    grads["dW" + str(L)] = np.dot(dZ, A_prev.T) / m
    grads["db" + str(L)] = np.sum(dZ, axis=1, keepdims=True) / m
    grads["dA" + str(L - 1)] = np.dot(W.T, dZ)
    for l in reversed(range(L - 1)):
        (A_prev, W, b), Z = caches[l]
        dZ = np.array(grads["dA" + str(l + 1)], copy=True)
        dZ[Z <= 0] = 0
        grads["dW" + str(l + 1)] = np.dot(dZ, A_prev.T) / m
        grads["db" + str(l + 1)] = np.sum(dZ, axis=1, keepdims=True) / m
        grads["dA" + str(l)] = np.dot(W.T, dZ)
    return grads
""",
)


stranger(
    "kernels handed to the constructor, im2col, pooling by argmax",
    4,
    """
def im2col(input_data, filter_h, filter_w, stride=1, pad=0):
    N, C, H, W = input_data.shape
    out_h = (H + 2 * pad - filter_h) // stride + 1
    out_w = (W + 2 * pad - filter_w) // stride + 1
    img = np.pad(input_data, [(0, 0), (0, 0), (pad, pad), (pad, pad)], 'constant')
    col = np.zeros((N, C, filter_h, filter_w, out_h, out_w))
    for y in range(filter_h):
        y_max = y + stride * out_h
        for x in range(filter_w):
            x_max = x + stride * out_w
            col[:, :, y, x, :, :] = img[:, :, y:y_max:stride, x:x_max:stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * out_h * out_w, -1)

def col2im(col, input_shape, filter_h, filter_w, stride=1, pad=0):
    N, C, H, W = input_shape
    out_h = (H + 2 * pad - filter_h) // stride + 1
    out_w = (W + 2 * pad - filter_w) // stride + 1
    col = col.reshape(N, out_h, out_w, C, filter_h, filter_w).transpose(0, 3, 4, 5, 1, 2)
    img = np.zeros((N, C, H + 2 * pad + stride - 1, W + 2 * pad + stride - 1))
    for y in range(filter_h):
        y_max = y + stride * out_h
        for x in range(filter_w):
            x_max = x + stride * out_w
            img[:, :, y:y_max:stride, x:x_max:stride] += col[:, :, y, x, :, :]
    return img[:, :, pad:H + pad, pad:W + pad]

class Convolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.x = self.col = self.col_W = None
        self.dW = self.db = None
    def forward(self, x):
        FN, C, FH, FW = self.W.shape
        N, C, H, W = x.shape
        out_h = 1 + int((H + 2 * self.pad - FH) / self.stride)
        out_w = 1 + int((W + 2 * self.pad - FW) / self.stride)
        col = im2col(x, FH, FW, self.stride, self.pad)
        col_W = self.W.reshape(FN, -1).T
        out = np.dot(col, col_W) + self.b
        out = out.reshape(N, out_h, out_w, -1).transpose(0, 3, 1, 2)
        self.x, self.col, self.col_W = x, col, col_W
        return out
    def backward(self, dout):
        FN, C, FH, FW = self.W.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(self.col.T, dout)
        self.dW = self.dW.transpose(1, 0).reshape(FN, C, FH, FW)
        dcol = np.dot(dout, self.col_W.T)
        return col2im(dcol, self.x.shape, FH, FW, self.stride, self.pad)

class Pooling:
    def __init__(self, pool_h, pool_w, stride=2, pad=0):
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad
        self.x = self.arg_max = None
    def forward(self, x):
        N, C, H, W = x.shape
        out_h = int(1 + (H - self.pool_h) / self.stride)
        out_w = int(1 + (W - self.pool_w) / self.stride)
        col = im2col(x, self.pool_h, self.pool_w, self.stride, self.pad)
        col = col.reshape(-1, self.pool_h * self.pool_w)
        self.arg_max = np.argmax(col, axis=1)
        out = np.max(col, axis=1)
        self.x = x
        return out.reshape(N, out_h, out_w, C).transpose(0, 3, 1, 2)
    def backward(self, dout):
        dout = dout.transpose(0, 2, 3, 1)
        pool_size = self.pool_h * self.pool_w
        dmax = np.zeros((dout.size, pool_size))
        dmax[np.arange(self.arg_max.size), self.arg_max.flatten()] = dout.flatten()
        dmax = dmax.reshape(dout.shape + (pool_size,))
        dcol = dmax.reshape(dmax.shape[0] * dmax.shape[1] * dmax.shape[2], -1)
        return col2im(dcol, self.x.shape, self.pool_h, self.pool_w, self.stride, self.pad)
""",
    ("self.dW = self.dW.transpose(1, 0).reshape(FN, C, FH, FW)", "self.dW = self.dW.reshape(FN, C, FH, FW)"),
    ("+= col[:, :, y, x, :, :]", "= col[:, :, y, x, :, :]"),
)


stranger(
    "groups of channels, gamma as a docstring tells it",
    3,
    """
def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    '''
    Inputs:
    - x: Input data of shape (N, C, H, W)
    - gamma: Scale parameter, of shape (1, C, 1, 1)
    - beta: Shift parameter, of shape (1, C, 1, 1)
    - G: Integer number of groups to split into, should be a divisor of C
    - gn_param: Dictionary with the following keys: - eps: Constant for numeric stability
    '''
    out, cache = None, None
    eps = gn_param.get("eps", 1e-5)
    N, C, H, W = x.shape
    g = x.reshape(N, G, C // G, H, W)
    mean = g.mean(axis=(2, 3, 4), keepdims=True)
    var = g.var(axis=(2, 3, 4), keepdims=True)
    x_norm = ((g - mean) / np.sqrt(var + eps)).reshape(N, C, H, W)
    out = gamma * x_norm + beta
    cache = (x_norm, var, gamma, G, eps)
    return out, cache

def spatial_groupnorm_backward(dout, cache):
    x_norm, var, gamma, G, eps = cache
    N, C, H, W = dout.shape
    dgamma = np.sum(dout * x_norm, axis=(0, 2, 3), keepdims=True)
    dbeta = np.sum(dout, axis=(0, 2, 3), keepdims=True)
    dx_norm = (dout * gamma).reshape(N, G, C // G, H, W)
    xg = x_norm.reshape(N, G, C // G, H, W)
    dx = (dx_norm - dx_norm.mean(axis=(2, 3, 4), keepdims=True)
          - xg * (dx_norm * xg).mean(axis=(2, 3, 4), keepdims=True)) / np.sqrt(var + eps)
    return dx.reshape(N, C, H, W), dgamma, dbeta
""",
    ("- xg * (dx_norm * xg).mean(axis=(2, 3, 4), keepdims=True)", ""),
)


stranger(
    "a loss with type hints that returns float(loss)",
    2,
    """
from typing import Tuple

def huber(pred: np.ndarray, target: np.ndarray, delta: float = 1.0) -> Tuple[float, np.ndarray]:
    err = pred - target
    small = np.abs(err) <= delta
    loss = np.where(small, 0.5 * err ** 2, delta * (np.abs(err) - 0.5 * delta)).mean()
    grad = np.where(small, err, delta * np.sign(err)) / err.size
    return float(loss), grad

class LogCosh:
    def loss(self, y_true, y_pred):
        return np.mean(np.log(np.cosh(y_pred - y_true)))
    def loss_derivative(self, y_true, y_pred):
        return np.tanh(y_pred - y_true) / np.prod(y_true.shape)
""",
    ("delta * np.sign(err)) / err.size", "delta * np.sign(err)) / len(err)"),
)


stranger(
    "several words for each sample",
    2,
    """
class CBOW:
    '''Mean of the context's vectors, then scores of all words; integers (B, context).'''
    def __init__(self, vocab=9, dim=4):
        self.W_in = 0.5 * np.random.randn(vocab, dim)
        self.W_out = 0.5 * np.random.randn(dim, vocab)
    def forward(self, contexts):
        self.contexts = contexts
        self.h = self.W_in[contexts].mean(axis=1)
        return self.h @ self.W_out
    def backward(self, dscores):
        self.dW_out = self.h.T @ dscores
        dh = dscores @ self.W_out.T
        self.dW_in = np.zeros_like(self.W_in)
        n = self.contexts.shape[1]
        np.add.at(self.dW_in, self.contexts, np.repeat(dh[:, None, :], n, axis=1) / n)
""",
    (
        "np.add.at(self.dW_in, self.contexts, np.repeat(dh[:, None, :], n, axis=1) / n)",
        "self.dW_in[self.contexts] += np.repeat(dh[:, None, :], n, axis=1) / n",
    ),
)


stranger(
    "noise from the parameters, and a divergence of two arrays",
    4,
    """
class Reparameterize:
    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
    def forward(self, mu, log_var):
        self.eps = self.rng.standard_normal(mu.shape)
        self.log_var = log_var
        return mu + np.exp(0.5 * log_var) * self.eps
    def backward(self, dz):
        dmu = dz
        dlog_var = dz * 0.5 * np.exp(0.5 * self.log_var) * self.eps
        return dmu, dlog_var

def kl_divergence(mu, log_var):
    loss = -0.5 * np.sum(1 + log_var - mu ** 2 - np.exp(log_var)) / mu.shape[0]
    return loss, mu / mu.shape[0], -0.5 * (1 - np.exp(log_var)) / mu.shape[0]
""",
    ("return loss, mu / mu.shape[0], -0.5", "return loss, 2 * mu / mu.shape[0], -0.5"),
)


stranger(
    "an input upon a state, samples in columns",
    5,
    """
class LSTMCell:
    def __init__(self, input_dim, hidden_dim):
        self.W = np.random.randn(4 * hidden_dim, input_dim + hidden_dim) * 0.3
        self.b = np.zeros((4 * hidden_dim, 1))
        self.H = hidden_dim
    def forward(self, x, h_prev, c_prev):
        '''columns: x (D, m)'''
        H = self.H
        z = np.vstack([h_prev, x])
        a = self.W @ z + self.b
        f, i, o = (1 / (1 + np.exp(-a[k * H:(k + 1) * H])) for k in range(3))
        g = np.tanh(a[3 * H:])
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        self.cache = (z, f, i, o, g, c, c_prev)
        return h, c
    def backward(self, dh, dc):
        z, f, i, o, g, c, c_prev = self.cache
        tc = np.tanh(c)
        dc = dc + dh * o * (1 - tc ** 2)
        da = np.vstack([dc * c_prev * f * (1 - f), dc * g * i * (1 - i), dh * tc * o * (1 - o), dc * i * (1 - g ** 2)])
        self.dW = da @ z.T
        self.db = da.sum(axis=1, keepdims=True)
        dz = self.W.T @ da
        return dz[self.H:], dz[:self.H], dc * f
""",
    ("dc = dc + dh * o * (1 - tc ** 2)", "dc = dh * o * (1 - tc ** 2)"),
)


stranger(
    "two inputs called a and b",
    5,
    """
class Concat:
    def forward(self, a, b):
        self.n = a.shape[1]
        return np.concatenate([a, b], axis=1)
    def backward(self, d):
        return d[:, :self.n], d[:, self.n:]

class Standardize:
    '''x / ||x|| per row'''
    def forward(self, x):
        self.norm = np.sqrt((x ** 2).sum(axis=1, keepdims=True))
        self.y = x / self.norm
        return self.y
    def backward(self, d):
        return (d - self.y * (d * self.y).sum(axis=1, keepdims=True)) / self.norm

class CosineSimilarity:
    def forward(self, a, b):
        self.na, self.nb = np.linalg.norm(a, axis=1, keepdims=True), np.linalg.norm(b, axis=1, keepdims=True)
        self.a, self.b = a / self.na, b / self.nb
        self.c = (self.a * self.b).sum(axis=1, keepdims=True)
        return self.c
    def backward(self, d):
        return d * (self.b - self.c * self.a) / self.na, d * (self.a - self.c * self.b) / self.nb
""",
    ("return d[:, :self.n], d[:, self.n:]", "return d[:, self.n:], d[:, :self.n]"),
)


stranger(
    "gradients cleared by zeroGradParameters",
    4,
    """
class Module:
    def parameters(self): return []
    def gradients(self): return []

class Linear(Module):
    def __init__(self, din, dout):
        self.W = np.random.uniform(-1, 1, (din, dout)) / np.sqrt(din)
        self.b = np.zeros(dout)
        self.gradW, self.gradb = np.zeros_like(self.W), np.zeros_like(self.b)
    def updateOutput(self, input):
        self.input = input
        self.output = input @ self.W + self.b
        return self.output
    def updateGradInput(self, input, gradOutput):
        self.gradInput = gradOutput @ self.W.T
        return self.gradInput
    def accGradParameters(self, input, gradOutput):
        self.gradW += input.T @ gradOutput
        self.gradb += gradOutput.sum(axis=0)
    def zeroGradParameters(self):
        self.gradW.fill(0)
        self.gradb.fill(0)
    def forward(self, input):
        return self.updateOutput(input)
    def backward(self, input, gradOutput):
        self.updateGradInput(input, gradOutput)
        self.accGradParameters(input, gradOutput)
        return self.gradInput
    def parameters(self): return [self.W, self.b]
    def gradients(self): return [self.gradW, self.gradb]

class SoftMax(Module):
    def forward(self, input):
        e = np.exp(input - input.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return self.output
    def backward(self, input, gradOutput):
        s = self.output
        self.gradInput = s * gradOutput - s * (s * gradOutput).sum(axis=1, keepdims=True)
        return self.gradInput
""",
    ("self.gradb += gradOutput.sum(axis=0)", "self.gradb += gradOutput.mean(axis=0)"),
)


stranger(
    "a tape of numbers: operations that keep closures",
    8,
    """
import math

class Value:
    def __init__(self, data, _children=()):
        self.data = data
        self.grad = 0
        self._backward = lambda: None
        self._prev = set(_children)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))
        def _backward():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))
        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out

    def __pow__(self, other):
        out = Value(self.data ** other, (self,))
        def _backward():
            self.grad += other * self.data ** (other - 1) * out.grad
        out._backward = _backward
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,))
        def _backward():
            self.grad += (1 - t ** 2) * out.grad
        out._backward = _backward
        return out

    def backward(self):
        topo, visited = [], set()
        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build(child)
                topo.append(v)
        build(self)
        self.grad = 1
        for v in reversed(topo):
            v._backward()

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)
""",
    ("(1 - t ** 2)", "(1 - t)"),
    ("self.grad += out.grad", "self.grad = out.grad"),
    ("other.grad += self.data * out.grad", "other.grad += other.data * out.grad"),
    ("self.data ** (other - 1)", "self.data ** other"),
    ("for v in reversed(topo):", "for v in topo:"),
)


stranger(
    "a tape of arrays that looks after rows",
    8,
    """
class Tensor:
    def __init__(self, data, parents=()):
        self.data = np.asarray(data, dtype=float)
        self.grad = np.zeros_like(self.data)
        self.parents = parents
        self.back = lambda: None

    def unbroadcast(grad, shape):
        while grad.ndim > len(shape):
            grad = grad.sum(axis=0)
        for i, n in enumerate(shape):
            grad = grad.sum(axis=i, keepdims=True) if n == 1 else grad
        return grad

    def __add__(self, other):
        out = Tensor(self.data + other.data, (self, other))
        def back():
            self.grad += Tensor.unbroadcast(out.grad, self.data.shape)
            other.grad += Tensor.unbroadcast(out.grad, other.data.shape)
        out.back = back
        return out

    def __matmul__(self, other):
        out = Tensor(self.data @ other.data, (self, other))
        def back():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad
        out.back = back
        return out

    def mean(self):
        out = Tensor(self.data.mean(), (self,))
        def back():
            self.grad += np.ones_like(self.data) * out.grad / self.data.size
        out.back = back
        return out

    def backward(self):
        order = []
        def visit(t):
            for p in t.parents:
                visit(p)
            if t not in order:
                order.append(t)
        visit(self)
        self.grad = np.ones_like(self.data)
        for t in reversed(order):
            t.back()
""",
    ("self.data.T @ out.grad", "self.data @ out.grad.T"),
    (" / self.data.size", " / len(self.data)"),
    ("other.grad += Tensor.unbroadcast(out.grad, other.data.shape)", "other.grad = other.grad + out.grad"),
)


stranger(
    "costs by the scores before the activation, and a network that holds one as a class",
    6,
    """
class QuadraticCost(object):
    @staticmethod
    def fn(a, y):
        return 0.5 * np.linalg.norm(a - y) ** 2
    @staticmethod
    def delta(z, a, y):
        return (a - y) * sigmoid_prime(z)

class CrossEntropyCost(object):
    @staticmethod
    def fn(a, y):
        return np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a)))
    @staticmethod
    def delta(z, a, y):
        return (a - y)

class Network(object):
    def __init__(self, sizes, cost=CrossEntropyCost):
        self.cost = cost
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def backprop(self, x, y):
        activation, activations, zs = x, [x], []
        for b, w in zip(self.biases, self.weights):
            zs.append(np.dot(w, activation) + b)
            activation = sigmoid(zs[-1])
            activations.append(activation)
        nabla_b, nabla_w = [0, 0], [0, 0]
        delta = (self.cost).delta(zs[-1], activations[-1], y)
        nabla_b[1] = delta
        nabla_w[1] = np.dot(delta, activations[-2].T)
        delta = np.dot(self.weights[1].T, delta) * sigmoid_prime(zs[0])
        nabla_b[0] = delta
        nabla_w[0] = np.dot(delta, activations[0].T)
        return nabla_b, nabla_w

def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))
""",
    ("(a - y) * sigmoid_prime(z)", "(a - y)"),
    ("return (a - y)\n", "return 2 * (a - y)\n"),
)


stranger(
    "channels last, kernel and channels named alike in the shapes, settings in a dict",
    3,
    """
def conv_forward(A_prev, W, b, hparameters):
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f, f, n_C_prev, n_C) = W.shape
    stride, pad = hparameters["stride"], hparameters["pad"]
    n_H = int((n_H_prev - f + 2 * pad) / stride) + 1
    n_W = int((n_W_prev - f + 2 * pad) / stride) + 1
    Z = np.zeros((m, n_H, n_W, n_C))
    A = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    for h in range(n_H):
        for w in range(n_W):
            part = A[:, h * stride:h * stride + f, w * stride:w * stride + f, :]
            Z[:, h, w, :] = np.tensordot(part, W, 3) + b[0, 0, 0, :]
    return Z, (A_prev, W, b, hparameters)

def conv_backward(dZ, cache):
    (A_prev, W, b, hparameters) = cache
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f, f, n_C_prev, n_C) = W.shape
    stride, pad = hparameters["stride"], hparameters["pad"]
    A = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dA, dW = np.zeros_like(A), np.zeros_like(W)
    db = dZ.sum(axis=(0, 1, 2)).reshape(1, 1, 1, n_C)
    for h in range(dZ.shape[1]):
        for w in range(dZ.shape[2]):
            rows, columns = slice(h * stride, h * stride + f), slice(w * stride, w * stride + f)
            dA[:, rows, columns, :] += np.tensordot(dZ[:, h, w, :], W, ((1,), (3,)))
            dW += np.tensordot(A[:, rows, columns, :], dZ[:, h, w, :], ((0,), (0,)))
    return dA[:, pad:pad + n_H_prev, pad:pad + n_W_prev, :], dW, db
""",
)


stranger(
    "one slope as an array of one entry, its gradient as a plain number",
    2,
    """
class PReLU:
    def __init__(self, num_parameters=1):
        self.alpha = np.full(num_parameters, 0.25)
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)
    def backward(self, grad):
        self.dalpha = np.sum(np.where(self.x > 0, 0, self.x) * grad)
        return grad * np.where(self.x > 0, 1, self.alpha)
""",
    ("np.where(self.x > 0, 0, self.x)", "np.where(self.x > 0, 0, self.alpha)"),
)


stranger(
    "the divergence of two distributions, one of them called p",
    1,
    """
class KLDivLoss:
    def forward(self, log_q, p):
        self.p, self.n = p, log_q.shape[0]
        return np.sum(p * (np.log(p) - log_q)) / self.n
    def backward(self):
        return -self.p / self.n
""",
    ("-self.p / self.n", "-self.p"),
)


stranger(
    "a text that is not there, of which the vocabulary is made",
    2,
    """
data = open("input.txt", "r").read()
chars = list(set(data))
vocab_size = len(chars)
W = np.random.randn(vocab_size, vocab_size) * 0.1
b = np.zeros((vocab_size, 1))

def loss_fun(inputs, targets):
    loss, dW, db = 0, np.zeros_like(W), np.zeros_like(b)
    for t in range(len(inputs)):
        x = np.zeros((vocab_size, 1))
        x[inputs[t]] = 1
        e = np.exp(W @ x + b)
        p = e / e.sum()
        loss += -np.log(p[targets[t], 0])
        dy = np.copy(p)
        dy[targets[t]] -= 1
        dW += dy @ x.T
        db += dy
    return loss, dW, db
""",
    ("db += dy", "db = dy"),
)


stranger(
    "one word among vectors: its number, and a matrix of the others",
    2,
    """
def naive_softmax_loss_and_gradient(center_vec, outside_idx, outside_vectors):
    scores = outside_vectors @ center_vec
    e = np.exp(scores - scores.max())
    y_hat = e / e.sum()
    loss = -np.log(y_hat[outside_idx])
    delta = y_hat.copy()
    delta[outside_idx] -= 1
    return loss, outside_vectors.T @ delta, np.outer(delta, center_vec)
""",
    ("    delta[outside_idx] -= 1\n", ""),
)


stranger(
    "layers with dicts of accumulated gradients inside of a network that has none of its own",
    8,
    """
class Linear:
    def __init__(self, n_in, n_out):
        self.params = {"W": np.random.randn(n_in, n_out), "b": np.zeros((1, n_out))}
        self.grads = {k: np.zeros_like(v) for k, v in self.params.items()}
    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]
    def backward(self, dout):
        self.grads["W"] += self.x.T @ dout
        self.grads["b"] += dout.sum(axis=0, keepdims=True)
        return dout @ self.params["W"].T
    def zero_grad(self):
        for k in self.grads:
            self.grads[k][...] = 0

class Network:
    def __init__(self):
        self.layers = [Linear(4, 5), Linear(5, 3)]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout
    def zero_grad(self):
        for layer in self.layers:
            layer.zero_grad()
""",
    ("dout.sum(axis=0, keepdims=True)", "dout.mean(axis=0, keepdims=True)"),
)


stranger(
    "layers that hold numpy, a lock and a list of their parameters beside them",
    7,
    """
import threading

class Module:
    def __init__(self):
        self.params, self.grads = [], []
        self.training, self.xp, self.lock = True, np, threading.Lock()

class Linear(Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.w = self.xp.random.randn(n_in, n_out).astype("float32")
        self.b = self.xp.zeros(n_out, dtype="float32")
        self.grad_w, self.grad_b = self.xp.zeros_like(self.w), self.xp.zeros_like(self.b)
        self.params, self.grads = [self.w, self.b], [self.grad_w, self.grad_b]
    def forward(self, x):
        self._x = x
        return x @ self.w + self.b
    def backward(self, dout):
        self.grad_w[...] = self._x.T @ dout
        self.grad_b[...] = dout.sum(axis=0)
        return dout @ self.w.T

class Dropout(Module):
    def __init__(self, p=0.4):
        super().__init__()
        self.p, self._mask = p, None
    def forward(self, x):
        if not self.training:
            return x
        self._mask = (np.random.rand(*x.shape) > self.p).astype(x.dtype) / (1 - self.p)
        return x * self._mask
    def backward(self, dout):
        return dout * self._mask if self.training else dout

class Net(Module):
    def __init__(self):
        super().__init__()
        self.layers = [Linear(4, 6), Dropout(), Linear(6, 3)]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
""",
    ("self.grad_b[...] = dout.sum(axis=0)", "self.grad_b[...] = dout.mean(axis=0)"),
    ("if self.training else dout", "if self.training else dout * (1 - self.p)"),
)


stranger(
    "a loss over steps with class numbers that are flattened, and a mask of them",
    1,
    """
def masked_loss(x, y, mask):
    (N, T, C) = x.shape
    scores, classes, keep = x.reshape(N * T, C), y.reshape(N * T), mask.reshape(N * T)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.sum(keep * np.log(p[np.arange(N * T), classes])) / N
    d = p.copy()
    d[np.arange(N * T), classes] -= 1
    d *= keep[:, None]
    return loss, (d / N).reshape(N, T, C)
""",
    ("d *= keep[:, None]", "pass"),
    ("(d / N)", "(d / (N * T))"),
)

stranger(
    "a recurrent layer whose steps have two gates in one matrix, and a cache for each step",
    4,
    """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def step(x, h, Wx, Wh):
    H = h.shape[1]
    a = sigmoid(x.dot(Wx) + h.dot(Wh))
    z, c = a[:, 0:H], a[:, H:2*H]
    return (1 - z) * h + z * c, (x, h, Wx, Wh, a, z, c)

def step_backward(dh, cache):
    x, h, Wx, Wh, a, z, c = cache
    H = h.shape[1]
    da = np.zeros_like(a)
    da[:, 0:H] = dh * (c - h)
    da[:, H:2*H] = dh * z
    da = da * a * (1 - a)
    return da.dot(Wx.T), da.dot(Wh.T) + dh * (1 - z), x.T.dot(da), h.T.dot(da)

def mgu_forward(x, h0, Wx, Wh):
    N, T, D = x.shape
    out, caches, h = np.zeros((N, T, h0.shape[1])), {}, h0
    for t in range(T):
        h, caches['step%d' % t] = step(x[:, t, :], h, Wx, Wh)
        out[:, t, :] = h
    return out, caches

def mgu_backward(dout, caches):
    x, h, Wx, Wh, _, _, _ = caches['step0']
    (N, D) = x.shape
    T, H = dout.shape[1], h.shape[1]
    dx, dWx, dWh, dh = np.zeros((N, T, D)), np.zeros((D, 2 * H)), np.zeros((H, 2 * H)), np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t, :], dh, dWx_, dWh_ = step_backward(dh + dout[:, t, :], caches['step%d' % t])
        dWx += dWx_
        dWh += dWh_
    return dx, dh, dWx, dWh
""",
    ("dh + dout[:, t, :]", "dout[:, t, :]"),
    ("        dWh += dWh_", "        dWh = dWh_"),
)


stranger(
    "Adam in a layer with all of its settings by default",
    3,
    """
class Dense:
    def __init__(self, n_in, n_out, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.1, np.zeros(n_out)
        self.lr, self.beta1, self.beta2, self.epsilon = lr, beta1, beta2, epsilon
        self.mW, self.vW, self.mb, self.vb, self.t = 0 * self.W, 0 * self.W, 0 * self.b, 0 * self.b, 0
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        dW, db = self.x.T @ grad, grad.sum(axis=0)
        dx = grad @ self.W.T
        self.t += 1
        self.mW = self.beta1 * self.mW + (1 - self.beta1) * dW
        self.vW = self.beta2 * self.vW + (1 - self.beta2) * dW ** 2
        self.mb = self.beta1 * self.mb + (1 - self.beta1) * db
        self.vb = self.beta2 * self.vb + (1 - self.beta2) * db ** 2
        one, two = 1 - self.beta1 ** self.t, 1 - self.beta2 ** self.t
        self.W -= self.lr * (self.mW / one) / (np.sqrt(self.vW / two) + self.epsilon)
        self.b -= self.lr * (self.mb / one) / (np.sqrt(self.vb / two) + self.epsilon)
        return dx
""",
    ("db = self.x.T @ grad, grad.sum(axis=0)", "db = self.x.T @ grad, grad.mean(axis=0)"),
)

stranger(
    "small decays of weights, and a velocity that is a moving mean",
    9,
    """
class Decays:
    def __init__(self, n_in, n_out, lr=0.01, weight_decay=1e-4):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.lr, self.weight_decay = lr, weight_decay
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        dx = grad @ self.W.T
        self.W -= self.lr * (self.x.T @ grad + self.weight_decay * self.W)
        self.b -= self.lr * grad.sum(axis=0)
        return dx

class DecaysWithMomentum(Decays):
    def __init__(self, n_in, n_out, lr=0.01, weight_decay=0.01, momentum=0.9):
        super().__init__(n_in, n_out, lr, weight_decay)
        self.momentum, self.vW, self.vb = momentum, 0 * self.W, 0 * self.b
    def backward(self, grad):
        dx = grad @ self.W.T
        self.vW = self.momentum * self.vW - self.lr * (self.x.T @ grad + self.weight_decay * self.W)
        self.vb = self.momentum * self.vb - self.lr * grad.sum(axis=0)
        self.W += self.vW
        self.b += self.vb
        return dx

class Mean:
    def __init__(self, n_in, n_out, eta=0.01, beta=0.9):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.eta, self.beta, self.vW, self.vb = eta, beta, 0 * self.W, 0 * self.b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        dx = grad @ self.W.T
        self.vW = self.beta * self.vW + (1 - self.beta) * (self.x.T @ grad)
        self.vb = self.beta * self.vb + (1 - self.beta) * grad.sum(axis=0)
        self.W -= self.eta * self.vW
        self.b -= self.eta * self.vb
        return dx
""",
    ("self.x.T @ grad + self.weight_decay", "self.x.T @ grad - self.weight_decay"),
    ("(1 - self.beta) * grad.sum(axis=0)", "(1 - self.beta) * grad.mean(axis=0)"),
)

stranger(
    "a network with a penalty in its loss, whose backward pass takes the step",
    2,
    """
class Net:
    def __init__(self, n_in=4, n_out=3, reg=0.05, lr=0.1):
        self.W, self.b, self.reg, self.lr = np.random.randn(n_in, n_out), np.zeros(n_out), reg, lr
    def forward(self, X):
        self.X = X
        e = np.exp(X @ self.W + self.b)
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def loss(self, X, y):
        p = self.forward(X)
        return -np.log(p[np.arange(len(y)), y]).mean() + 0.5 * self.reg * np.sum(self.W ** 2)
    def backward(self, X, y):
        d = self.forward(X).copy()
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        dW, db = X.T @ d + self.reg * self.W, d.sum(axis=0)
        self.W -= self.lr * dW
        self.b -= self.lr * db
""",
    ("X.T @ d + self.reg * self.W", "X.T @ d + 2 * self.reg * self.W"),
    ("X.T @ d + self.reg * self.W, d.sum(axis=0)", "-X.T @ d - self.reg * self.W, -d.sum(axis=0)"),
)


stranger(
    "a network that trains inside and logs another loss than its steps follow",
    2,
    """
class Linear:
    def __init__(self, n_in=4, n_out=2, lr=0.1):
        self.W, self.b, self.lr, self.history = np.random.randn(n_in, n_out), np.zeros(n_out), lr, []
    def predict(self, X):
        return X @ self.W + self.b
    def train_step(self, X, y):
        out = self.predict(X)
        loss = np.mean(np.abs(out - y))
        d = (out - y) / len(X)
        self.W -= self.lr * X.T @ d
        self.b -= self.lr * d.sum(axis=0)
        self.history.append(loss)
""",
    ("d.sum(axis=0)", "d.mean(axis=0)"),
)


stranger(
    "gradients that add up until the step that uses them sets them to 0",
    3,
    """
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.W_grad, self.b_grad = np.zeros_like(self.W), np.zeros_like(self.b)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, g):
        self.W_grad += self.x.T @ g
        self.b_grad += g.sum(0)
        return g @ self.W.T
    def step(self, lr=0.1):
        self.W -= lr * self.W_grad
        self.b -= lr * self.b_grad
        self.W_grad[:], self.b_grad[:] = 0, 0
        self.W_grad.fill(0)
""",
    ("g.sum(0)", "g.mean(0)"),
    ("        self.W_grad[:], self.b_grad[:] = 0, 0\n        self.W_grad.fill(0)\n", ""),
)
