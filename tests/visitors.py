"""More of what strangers write: in the manner of C, objects that hold their data, penalties and ignored classes."""

from __future__ import annotations

from strangers import stranger

stranger(
    "in the manner of C: a product into arrays that are handed over",
    3,
    """
def matmul_forward(out, inp, weight, bias, B, T, C, OC):
    for b in range(B):
        for t in range(T):
            for o in range(OC):
                val = bias[o]
                for i in range(C):
                    val += inp[b, t, i] * weight[o, i]
                out[b, t, o] = val
def matmul_backward(dinp, dweight, dbias, dout, inp, weight, B, T, C, OC):
    for b in range(B):
        for t in range(T):
            for o in range(OC):
                d = dout[b, t, o]
                for i in range(C):
                    dinp[b, t, i] += weight[o, i] * d
                    dweight[o, i] += inp[b, t, i] * d
                dbias[o] += d
""",
    ("dinp[b, t, i] += weight[o, i] * d", "dinp[b, t, i] = weight[o, i] * d"),
    ("dbias[o] += d", "dbias[o] += d / B"),
)


stranger(
    "in the manner of C: a layer norm that keeps mean and scale",
    3,
    """
def layernorm_forward(out, mean, rstd, inp, weight, bias, B, T, C):
    eps = 1e-5
    for b in range(B):
        for t in range(T):
            x = inp[b, t, :]
            m = x.sum() / C
            v = ((x - m) ** 2).sum() / C
            s = 1.0 / np.sqrt(v + eps)
            out[b, t, :] = s * (x - m) * weight + bias
            mean[b, t] = m
            rstd[b, t] = s
def layernorm_backward(dinp, dweight, dbias, dout, inp, weight, mean, rstd, B, T, C):
    for b in range(B):
        for t in range(T):
            norm = (inp[b, t] - mean[b, t]) * rstd[b, t]
            dnorm = weight * dout[b, t]
            dnorm_mean = dnorm.sum() / C
            dnorm_norm_mean = (dnorm * norm).sum() / C
            dbias += dout[b, t]
            dweight += norm * dout[b, t]
            dinp[b, t] += (dnorm - dnorm_mean - norm * dnorm_norm_mean) * rstd[b, t]
""",
    ("dnorm - dnorm_mean - norm", "dnorm - norm"),
)


stranger(
    "in the manner of C: whole arrays, no sizes",
    2,
    """
def residual_forward(out, inp1, inp2):
    out[:] = inp1 + inp2
def residual_backward(dinp1, dinp2, dout):
    dinp1 += dout
    dinp2 += dout
""",
    ("dinp2 += dout", "dinp2 -= dout"),
)


stranger(
    "in the manner of C: integers for targets",
    1,
    """
def crossentropy_forward(losses, probs, targets, B, T):
    for b in range(B):
        for t in range(T):
            losses[b, t] = -np.log(probs[b, t, targets[b, t]])
def crossentropy_backward(dprobs, dlosses, probs, targets, B, T):
    for b in range(B):
        for t in range(T):
            dprobs[b, t, targets[b, t]] += -dlosses[b, t] / probs[b, t, targets[b, t]]
""",
    ("+= -dlosses", "+= dlosses"),
)


stranger(
    "an object that holds its data: loss and gradients take nothing",
    2,
    """
class LogisticRegression:
    def __init__(self, X, y):
        self.X, self.y = X, y
        self.W = np.zeros((X.shape[1], 1)) + 0.1
        self.b = np.zeros((1, 1))
    def predict(self):
        return 1 / (1 + np.exp(-(self.X @ self.W + self.b)))
    def cost(self):
        p = self.predict()
        return -np.mean(self.y * np.log(p) + (1 - self.y) * np.log(1 - p))
    def gradients(self):
        d = (self.predict() - self.y) / len(self.X)
        self.dW = self.X.T @ d
        self.db = d.sum(axis=0, keepdims=True)
""",
    ("/ len(self.X)", ""),
)


stranger(
    "an object that holds its data: forward, loss and backward",
    2,
    """
class MLP:
    def __init__(self, X, y, hidden=6):
        self.X, self.y = X, y
        self.W1 = np.random.randn(X.shape[1], hidden) * 0.5
        self.W2 = np.random.randn(hidden, y.shape[1]) * 0.5
    def forward(self):
        self.h = np.tanh(self.X @ self.W1)
        self.out = self.h @ self.W2
        return self.out
    def loss(self):
        return np.mean((self.out - self.y) ** 2)
    def backward(self):
        d = 2 * (self.out - self.y) / self.y.size
        self.dW2 = self.h.T @ d
        self.dW1 = self.X.T @ (d @ self.W2.T * (1 - self.h ** 2))
""",
    (" * (1 - self.h ** 2))", ")"),
)


stranger(
    "a dense layer that adds the gradient of its own penalty",
    3,
    """
class Dense:
    def __init__(self, n_in, n_out, l2):
        self.W = np.random.randn(n_in, n_out) * 0.1
        self.b = np.zeros(n_out)
        self.l2 = l2
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def regularization_loss(self):
        return self.l2 * np.sum(self.W ** 2)
    def backward(self, dout):
        self.dW = self.x.T @ dout + 2 * self.l2 * self.W
        self.db = dout.sum(axis=0)
        return dout @ self.W.T
""",
    ("+ 2 * self.l2 * self.W", "+ self.l2 * self.W"),
)


stranger(
    "the book's dense layer, with penalties that are 0 by default",
    3,
    """
class Layer_Dense:
    def __init__(self, n_inputs=4, n_neurons=3, weight_regularizer_l1=0, weight_regularizer_l2=0,
                 bias_regularizer_l1=0, bias_regularizer_l2=0):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.bias_regularizer_l1 = bias_regularizer_l1
        self.bias_regularizer_l2 = bias_regularizer_l2
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases
    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        if self.weight_regularizer_l1 > 0:
            dL1 = np.ones_like(self.weights)
            dL1[self.weights < 0] = -1
            self.dweights += self.weight_regularizer_l1 * dL1
        if self.weight_regularizer_l2 > 0:
            self.dweights += 2 * self.weight_regularizer_l2 * self.weights
        if self.bias_regularizer_l1 > 0:
            dL1 = np.ones_like(self.biases)
            dL1[self.biases < 0] = -1
            self.dbiases += self.bias_regularizer_l1 * dL1
        if self.bias_regularizer_l2 > 0:
            self.dbiases += 2 * self.bias_regularizer_l2 * self.biases
        self.dinputs = np.dot(dvalues, self.weights.T)
""",
    (
        "self.dweights += 2 * self.weight_regularizer_l2 * self.weights",
        "self.dweights += self.weight_regularizer_l2 * self.weights",
    ),
)


stranger(
    "a loss with an index that it ignores",
    1,
    """
def cross_entropy_forward(logits, targets, ignore_index=-100):
    z = logits - logits.max(axis=-1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    keep = targets != ignore_index
    safe = np.where(keep, targets, 0)
    losses = -logp[np.arange(len(targets)), safe] * keep
    return losses.sum() / max(keep.sum(), 1), (logp, safe, keep)
def cross_entropy_backward(cache):
    logp, safe, keep = cache
    d = np.exp(logp)
    d[np.arange(len(safe)), safe] -= 1
    return d * keep[:, None] / max(keep.sum(), 1)
""",
    ("d * keep[:, None] / max(keep.sum(), 1)", "d / max(keep.sum(), 1)"),
)


stranger(
    "a loss that ignores the class 0",
    1,
    """
class CrossEntropyLoss:
    def __init__(self, ignore_index=0):
        self.ignore_index = ignore_index
    def forward(self, logits, targets):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        self.t = targets
        self.mask = targets != self.ignore_index
        picked = self.p[np.arange(len(targets)), targets]
        return -(np.log(picked) * self.mask).sum() / self.mask.sum()
    def backward(self):
        d = self.p.copy()
        d[np.arange(len(self.t)), self.t] -= 1
        d *= self.mask[:, None]
        return d / self.mask.sum()
""",
    ("        d *= self.mask[:, None]\n", ""),
)


stranger(
    "a small number inside the logarithm of a function beside the loss",
    1,
    """
def softmax(x):
    x = x - np.max(x, axis=-1, keepdims=True)
    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)
def cross_entropy_error(y, t):
    if t.size == y.size:
        t = t.argmax(axis=1)
    batch_size = y.shape[0]
    return -np.sum(np.log(y[np.arange(batch_size), t] + 1e-7)) / batch_size
class SoftmaxWithLoss:
    def __init__(self):
        self.loss = None
        self.y = None
        self.t = None
    def forward(self, x, t):
        self.t = t
        self.y = softmax(x)
        self.loss = cross_entropy_error(self.y, self.t)
        return self.loss
    def backward(self, dout=1):
        batch_size = self.t.shape[0]
        if self.t.size == self.y.size:
            dx = (self.y - self.t) / batch_size
        else:
            dx = self.y.copy()
            dx[np.arange(batch_size), self.t] -= 1
            dx = dx / batch_size
        return dx
""",
    ("dx = (self.y - self.t) / batch_size", "dx = (self.t - self.y) / batch_size"),
)


stranger(
    "heads, whose number is guessed",
    1,
    """
def split_heads_forward(x, n_heads):
    B, T, C = x.shape
    return x.reshape(B, T, n_heads, C // n_heads).transpose(0, 2, 1, 3), (x.shape, n_heads)
def split_heads_backward(dout, cache):
    shape, n_heads = cache
    return dout.transpose(0, 2, 1, 3).reshape(shape)
""",
    ("dout.transpose(0, 2, 1, 3).reshape(shape)", "dout.reshape(shape)"),
)


stranger(
    "max pooling with a stride that is guessed",
    1,
    """
def max_pool_forward_naive(x, pool_param):
    N, C, H, W = x.shape
    ph, pw, stride = pool_param['pool_height'], pool_param['pool_width'], pool_param['stride']
    Ho, Wo = (H - ph) // stride + 1, (W - pw) // stride + 1
    out = np.zeros((N, C, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            out[:, :, i, j] = np.max(x[:, :, i*stride:i*stride+ph, j*stride:j*stride+pw], axis=(2, 3))
    return out, (x, pool_param)
def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    N, C, H, W = x.shape
    ph, pw, stride = pool_param['pool_height'], pool_param['pool_width'], pool_param['stride']
    dx = np.zeros(x.shape)
    for n in range(N):
        for c in range(C):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    win = x[n, c, i*stride:i*stride+ph, j*stride:j*stride+pw]
                    r, q = np.unravel_index(np.argmax(win), win.shape)
                    dx[n, c, i*stride + r, j*stride + q] += dout[n, c, i, j]
    return dx
""",
    ("dx[n, c, i*stride + r, j*stride + q]", "dx[n, c, i + r, j + q]"),
)
