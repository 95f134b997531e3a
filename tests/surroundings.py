"""More strangers: code that leans on what stands around it, on globals, on a loss beside it, on a switch."""

from __future__ import annotations

from strangers import stranger

stranger(
    "a pair that reads its weights from the globals of the file",
    3,
    """
rng = np.random.default_rng(0)
W = rng.normal(size=(4, 3))
b = np.zeros(3)
def forward(x):
    return x @ W + b
def backward(dout, x):
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)
""",
    ("x.T @ dout,", "x.T @ dout / len(x),"),
    ("dout.sum(axis=0)", "dout.mean(axis=0)"),
)

stranger(
    "a network in globals that keeps a cache there",
    5,
    """
np.random.seed(1)
params = {"W1": np.random.randn(4, 6), "b1": np.zeros((1, 6)), "W2": np.random.randn(6, 3), "b2": np.zeros((1, 3))}
cache = {}
def squash(z):
    return np.tanh(z)
def forward(X):
    cache["X"] = X
    cache["h"] = squash(X @ params["W1"] + params["b1"])
    return cache["h"] @ params["W2"] + params["b2"]
def backward(d):
    grads = {"W2": cache["h"].T @ d, "b2": d.sum(axis=0, keepdims=True)}
    dz = d @ params["W2"].T * (1 - cache["h"] ** 2)
    grads["W1"], grads["b1"] = cache["X"].T @ dz, dz.sum(axis=0, keepdims=True)
    return dz @ params["W1"].T, grads
""",
    ('cache["h"].T @ d,', 'cache["h"].T @ d / 2,'),
)

stranger(
    "weights in globals, moved by backward itself, the loss a function of its own",
    4,
    """
W1 = np.random.randn(4, 6)
b1 = np.zeros((1, 6))
W2 = np.random.randn(6, 3)
b2 = np.zeros((1, 3))
learning_rate = 0.1
def forward_propagation(X):
    a1 = np.tanh(X.dot(W1) + b1)
    z2 = a1.dot(W2) + b2
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    probs = e / e.sum(axis=1, keepdims=True)
    return probs, a1
def backward_propagation(X, y, probs, a1):
    global W1, b1, W2, b2
    d2 = probs.copy()
    d2[range(len(X)), y] -= 1
    d1 = d2.dot(W2.T) * (1 - a1 ** 2)
    W1 -= learning_rate * X.T.dot(d1)
    b1 -= learning_rate * d1.sum(axis=0)
    W2 -= learning_rate * a1.T.dot(d2)
    b2 -= learning_rate * d2.sum(axis=0)
def loss(X, y):
    probs, _ = forward_propagation(X)
    return -np.log(probs[range(len(X)), y]).sum()
""",
    ("b2 -= learning_rate * d2.sum(axis=0)", "b2 -= learning_rate * d2.mean(axis=0)"),
)

stranger(
    "a course: forward, cost and backward as three functions, samples in columns",
    4,
    """
def forward_propagation(X, parameters):
    A1 = np.tanh(np.dot(parameters['W1'], X) + parameters['b1'])
    A2 = 1 / (1 + np.exp(-(np.dot(parameters['W2'], A1) + parameters['b2'])))
    return A2, {'A1': A1, 'A2': A2}
def compute_cost(A2, Y):
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / Y.shape[1]
def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    dZ2 = cache['A2'] - Y
    dZ1 = np.dot(parameters['W2'].T, dZ2) * (1 - np.power(cache['A1'], 2))
    return {'dW1': np.dot(dZ1, X.T) / m, 'db1': np.sum(dZ1, axis=1, keepdims=True) / m,
            'dW2': np.dot(dZ2, cache['A1'].T) / m, 'db2': np.sum(dZ2, axis=1, keepdims=True) / m}
""",
    ("np.dot(dZ2, cache['A1'].T) / m", "np.dot(dZ2, cache['A1'].T)"),
)

stranger(
    "a network with a loss method, whose backward takes the data again",
    4,
    """
class Network:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden), np.zeros(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_out), np.zeros(n_out)
    def forward(self, X):
        self.h = np.tanh(X @ self.W1 + self.b1)
        self.out = self.h @ self.W2 + self.b2
        return self.out
    def compute_loss(self, y_hat, y):
        return np.mean((y_hat - y) ** 2)
    def backward(self, X, y):
        d2 = 2 * (self.out - y) / y.size
        d1 = d2 @ self.W2.T * (1 - self.h ** 2)
        self.dW2, self.db2 = self.h.T @ d2, d2.sum(axis=0)
        self.dW1, self.db1 = X.T @ d1, d1.sum(axis=0)
""",
    ("self.h.T @ d2, d2.sum(axis=0)", "self.h.T @ d2, 2 * d2.sum(axis=0)"),
)

stranger(
    "a network as functions: forward returns what backward asks for by name, and the data have no gradient",
    4,
    """
def forward(X, W1, b1, W2, b2):
    a1 = np.tanh(X.dot(W1) + b1)
    y_hat = np.tanh(a1.dot(W2) + b2)
    return y_hat, a1
def backward(d_out, X, a1, y_hat, W2):
    d2 = d_out * (1 - y_hat ** 2)
    d1 = d2.dot(W2.T) * (1 - a1 ** 2)
    return X.T.dot(d1), d1.sum(axis=0), a1.T.dot(d2), d2.sum(axis=0)
""",
    ("a1.T.dot(d2),", "3 * a1.T.dot(d2),"),
)

stranger(
    "samples in columns, a mean over them, and a step of a rate with a name of its own",
    3,
    """
class FullyConnected:
    def __init__(self, n_in, n_out):
        self.weight, self.bias = np.random.randn(n_out, n_in), np.zeros((n_out, 1))
        self.pace = 0.05
    def forward(self, a):
        self.a = a
        return self.weight @ a + self.bias
    def backward(self, dz):
        m = dz.shape[1]
        da = self.weight.T @ dz
        self.weight = self.weight - self.pace * (dz @ self.a.T) / m
        self.bias = self.bias - self.pace * dz.sum(axis=1, keepdims=True) / m
        return da
""",
    ("da = self.weight.T @ dz", "da = 2 * self.weight.T @ dz"),
)

stranger(
    "a loss of several parts whose gradients go by shorter names, in another order",
    3,
    """
def vae_loss(y, y_pred, t_mean, t_log_var):
    p = np.clip(y_pred, 1e-12, 1 - 1e-12)
    entropy = -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p), axis=1)
    return np.mean(entropy - 0.5 * np.sum(1 + t_log_var - t_mean ** 2 - np.exp(t_log_var), axis=1))
def vae_loss_grad(y, y_pred, t_mean, t_log_var):
    n = y.shape[0]
    dYPred = (y_pred - y) / (y_pred * (1 - y_pred)) / n
    dLogVar = (np.exp(t_log_var) - 1) / (2 * n)
    dMean = t_mean / n
    return dYPred, dLogVar, dMean
""",
    ("dMean = t_mean / n", "dMean = t_mean"),
)

stranger(
    "attention whose key is called K, in a helper that forward calls",
    3,
    """
class Attention:
    def forward(self, Q, K, V, retain_derived=True):
        out, self.weights = self._look(Q, K, V)
        self.kept = Q, K, V
        return out
    def _look(self, Q, K, V):
        s = Q @ K.swapaxes(-2, -1) / np.sqrt(Q.shape[-1])
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        w = e / e.sum(axis=-1, keepdims=True)
        return w @ V, w
    def backward(self, dy):
        (q, k, v), w = self.kept, self.weights
        dw = dy @ v.swapaxes(-2, -1)
        ds = w * (dw - (dw * w).sum(axis=-1, keepdims=True)) / np.sqrt(k.shape[-1])
        return ds @ k, ds.swapaxes(-2, -1) @ q, w.swapaxes(-2, -1) @ dy
""",
    ("w.swapaxes(-2, -1) @ dy", "2 * w.swapaxes(-2, -1) @ dy"),
)

stranger(
    "passes under other names, gradients in boxes, nothing kept unless it is asked for",
    3,
    """
class Box:
    def __init__(self, shape): self.params, self.grads = np.random.randn(*shape), None
class Linear:
    def __init__(self, in_dim, out_dim): self.W, self.b = Box((in_dim, out_dim)), Box((out_dim,))
    def forward_propagate(self, inpt, save_cache=False):
        if save_cache: self.inpt = inpt
        return inpt @ self.W.params + self.b.params
    def _compute_gradients(self, grads):
        self.W.grads, self.b.grads = self.inpt.T @ grads, np.sum(grads, axis=0)
        return grads @ self.W.params.T
""",
    ("np.sum(grads, axis=0)", "np.mean(grads, axis=0)"),
)

stranger(
    "backward calls the upstream gradient what forward calls its input",
    1,
    """
class Flatten:
    def forward(self, Z):
        self.shape = Z.shape
        return Z.reshape(len(Z), -1).T
    def backward(self, Z):
        return Z.T.reshape(self.shape)
""",
    ("Z.T.reshape(self.shape)", "3 * Z.T.reshape(self.shape)"),
)

stranger(
    "numbers of words that are cast, and rates of a penalty that forward knows nothing of",
    3,
    """
class Embedding:
    def __init__(self, vocabulary, dim): self.weights = np.random.randn(vocabulary, dim)
    def forward(self, inputs):
        self.hot = np.eye(len(self.weights))[inputs.astype(np.int32)]
        return self.hot @ self.weights
    def backward(self, dvalues):
        self.dweights = np.einsum("bv,bd->vd", self.hot, dvalues)
class Dense:
    def __init__(self, n_inputs, n_neurons, l1):
        self.weights, self.l1 = np.random.randn(n_inputs, n_neurons), l1
    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.weights
    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues + self.l1 * np.sign(self.weights)
        return dvalues @ self.weights.T
""",
    ("self.hot, dvalues)", "self.hot, dvalues) / 2"),
)
