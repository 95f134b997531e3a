"""More small modules as strangers write them: lists, single numbers, losses written nowhere, settings with defaults."""

from __future__ import annotations

from strangers import stranger

stranger(
    "course: pooling with settings in a dict and a mode that backward must be told",
    1,
    """
def pool_forward(A_prev, hparameters, mode="max"):
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    f = hparameters["f"]
    stride = hparameters["stride"]
    n_H = int(1 + (n_H_prev - f) / stride)
    n_W = int(1 + (n_W_prev - f) / stride)
    A = np.zeros((m, n_H, n_W, n_C_prev))
    for h in range(n_H):
        for w in range(n_W):
            sl = A_prev[:, h*stride:h*stride+f, w*stride:w*stride+f, :]
            A[:, h, w, :] = sl.max(axis=(1, 2)) if mode == "max" else sl.mean(axis=(1, 2))
    return A, (A_prev, hparameters)
def pool_backward(dA, cache, mode):
    A_prev, hparameters = cache
    f, stride = hparameters["f"], hparameters["stride"]
    m, n_H, n_W, n_C = dA.shape
    dA_prev = np.zeros_like(A_prev)
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    vs, hs = h * stride, w * stride
                    if mode == "max":
                        s = A_prev[i, vs:vs+f, hs:hs+f, c]
                        dA_prev[i, vs:vs+f, hs:hs+f, c] += (s == s.max()) * dA[i, h, w, c]
                    elif mode == "average":
                        dA_prev[i, vs:vs+f, hs:hs+f, c] += np.ones((f, f)) * dA[i, h, w, c] / (f * f)
    return dA_prev
""",
    ("+= (s == s.max()) * dA[i, h, w, c]", "+= (s == s.max())"),
)

stranger(
    "samples in columns, class numbers, parameters from a function, and no loss anywhere",
    5,
    """

def init_params():
    W1 = np.random.rand(10, 6) - 0.5
    b1 = np.random.rand(10, 1) - 0.5
    W2 = np.random.rand(10, 10) - 0.5
    b2 = np.random.rand(10, 1) - 0.5
    return W1, b1, W2, b2
def ReLU(Z):
    return np.maximum(Z, 0)
def softmax(Z):
    A = np.exp(Z) / sum(np.exp(Z))
    return A
def forward_prop(W1, b1, W2, b2, X):
    Z1 = W1.dot(X) + b1
    A1 = ReLU(Z1)
    Z2 = W2.dot(A1) + b2
    A2 = softmax(Z2)
    return Z1, A1, Z2, A2
def ReLU_deriv(Z):
    return Z > 0
def one_hot(Y):
    one_hot_Y = np.zeros((Y.size, 10))
    one_hot_Y[np.arange(Y.size), Y] = 1
    one_hot_Y = one_hot_Y.T
    return one_hot_Y
def backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
    m = X.shape[1]
    one_hot_Y = one_hot(Y)
    dZ2 = A2 - one_hot_Y
    dW2 = 1 / m * dZ2.dot(A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)
    dW1 = 1 / m * dZ1.dot(X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2
def update_params(W1, b1, W2, b2, dW1, db1, dW2, db2, alpha):
    W1 = W1 - alpha * dW1
    b1 = b1 - alpha * db1
    W2 = W2 - alpha * dW2
    b2 = b2 - alpha * db2
    return W1, b1, W2, b2
def get_predictions(A2):
    return np.argmax(A2, 0)
def get_accuracy(predictions, Y):
    return np.sum(predictions == Y) / Y.size
def gradient_descent(X, Y, alpha, iterations):
    W1, b1, W2, b2 = init_params()
    for i in range(iterations):
        Z1, A1, Z2, A2 = forward_prop(W1, b1, W2, b2, X)
        dW1, db1, dW2, db2 = backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y)
        W1, b1, W2, b2 = update_params(W1, b1, W2, b2, dW1, db1, dW2, db2, alpha)
    return W1, b1, W2, b2
""",
    ("* ReLU_deriv(Z1)", ""),
)

stranger(
    "one of several things that forward returns is the output, and no loss is written",
    4,
    """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def forward_prop(X, W1, b1, W2, b2):
    Z1 = np.dot(X, W1) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(A1, W2) + b2
    A2 = sigmoid(Z2)
    return Z1, A1, Z2, A2
def back_prop(X, Y, Z1, A1, Z2, A2, W2):
    m = X.shape[0]
    dZ2 = A2 - Y
    dW2 = A1.T @ dZ2 / m
    db2 = np.sum(dZ2, axis=0, keepdims=True) / m
    dZ1 = dZ2 @ W2.T * (1 - A1 ** 2)
    dW1 = X.T @ dZ1 / m
    db1 = np.sum(dZ1, axis=0, keepdims=True) / m
    return dW1, db1, dW2, db2
""",
    ("(1 - A1 ** 2)", "(1 - A1)"),
)

stranger(
    "functions of one number",
    4,
    """
import math
def sigmoid(x):
    return 1 / (1 + math.exp(-x))
def sigmoid_derivative(x):
    s = sigmoid(x)
    return s * (1 - s)
def tanh(x):
    return math.tanh(x)
def tanh_derivative(x):
    return 1 - math.tanh(x) ** 2
def softplus(x):
    return math.log(1 + math.exp(x))
def softplus_derivative(x):
    return 1 / (1 + math.exp(-x))
def leaky_relu(x, alpha=0.01):
    if x > 0:
        return x
    return alpha * x
def leaky_relu_derivative(x, alpha=0.01):
    if x > 0:
        return 1
    return alpha
""",
    ("return s * (1 - s)", "return s * (1 + s)"),
)

stranger(
    "a neuron with a list of weights",
    3,
    """
import math
import random
class Neuron:
    def __init__(self, n_inputs):
        self.weights = [random.uniform(-1, 1) for _ in range(n_inputs)]
        self.bias = random.uniform(-1, 1)
    def forward(self, inputs):
        self.inputs = inputs
        total = self.bias
        for w, x in zip(self.weights, inputs):
            total += w * x
        self.output = 1.0 / (1.0 + math.exp(-total))
        return self.output
    def backward(self, delta):
        d = delta * self.output * (1 - self.output)
        self.grad_weights = [d * x for x in self.inputs]
        self.grad_bias = d
        return [d * w for w in self.weights]
""",
    ("d * x for x in self.inputs", "delta * x for x in self.inputs"),
)

stranger(
    "nested lists in and out",
    3,
    """
def dense_forward(x, w, b):
    out = []
    for i in range(len(x)):
        row = []
        for j in range(len(w[0])):
            s = b[j]
            for k in range(len(w)):
                s += x[i][k] * w[k][j]
            row.append(s)
        out.append(row)
    return out, (x, w, b)
def dense_backward(dout, cache):
    x, w, b = cache
    n, d, m = len(x), len(w), len(w[0])
    dx = [[sum(dout[i][j] * w[k][j] for j in range(m)) for k in range(d)] for i in range(n)]
    dw = [[sum(x[i][k] * dout[i][j] for i in range(n)) for j in range(m)] for k in range(d)]
    db = [sum(dout[i][j] for i in range(n)) for j in range(m)]
    return dx, dw, db
""",
    (
        "db = [sum(dout[i][j] for i in range(n)) for j in range(m)]",
        "db = [sum(dout[i][j] for i in range(n)) / n for j in range(m)]",
    ),
)

stranger(
    "a layer of nested lists",
    3,
    """
def matmul(a, b):
    return [[sum(x * y for x, y in zip(row, col)) for col in zip(*b)] for row in a]
def transpose(a):
    return [list(r) for r in zip(*a)]
class Linear:
    def __init__(self, n_in, n_out):
        import random
        rng = random.Random(0)
        self.W = [[rng.gauss(0, 1) for _ in range(n_out)] for _ in range(n_in)]
        self.b = [0.1] * n_out
    def forward(self, x):
        self.x = x
        out = matmul(x, self.W)
        return [[v + b for v, b in zip(row, self.b)] for row in out]
    def backward(self, grad):
        self.dW = matmul(transpose(self.x), grad)
        self.db = [sum(col) for col in zip(*grad)]
        return matmul(grad, transpose(self.W))
""",
    ("self.db = [sum(col) for col in zip(*grad)]", "self.db = [sum(col) / len(col) for col in zip(*grad)]"),
)

stranger(
    "LSTM cell that asserts the shapes of columns",
    11,
    """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
class LSTMCell:
    def __init__(self, input_size, hidden_size):
        self.input_size = input_size
        self.hidden_size = hidden_size
        z = input_size + hidden_size
        rng = np.random.default_rng(0)
        self.Wf = rng.normal(0, 0.1, (hidden_size, z)); self.bf = np.zeros((hidden_size, 1))
        self.Wi = rng.normal(0, 0.1, (hidden_size, z)); self.bi = np.zeros((hidden_size, 1))
        self.Wc = rng.normal(0, 0.1, (hidden_size, z)); self.bc = np.zeros((hidden_size, 1))
        self.Wo = rng.normal(0, 0.1, (hidden_size, z)); self.bo = np.zeros((hidden_size, 1))
    def forward(self, x, h_prev, C_prev):
        assert x.shape == (self.input_size, 1)
        assert h_prev.shape == (self.hidden_size, 1)
        assert C_prev.shape == (self.hidden_size, 1)
        z = np.row_stack((h_prev, x)) if hasattr(np, "row_stack") else np.vstack((h_prev, x))
        f = sigmoid(np.dot(self.Wf, z) + self.bf)
        i = sigmoid(np.dot(self.Wi, z) + self.bi)
        C_bar = np.tanh(np.dot(self.Wc, z) + self.bc)
        C = f * C_prev + i * C_bar
        o = sigmoid(np.dot(self.Wo, z) + self.bo)
        h = o * np.tanh(C)
        self.cache = z, f, i, C_bar, C, o, C_prev
        return h, C
    def backward(self, dh_next, dC_next):
        assert dh_next.shape == (self.hidden_size, 1)
        assert dC_next.shape == (self.hidden_size, 1)
        z, f, i, C_bar, C, o, C_prev = self.cache
        do = dh_next * np.tanh(C) * o * (1 - o)
        dC = dC_next + dh_next * o * (1 - np.tanh(C) ** 2)
        dC_bar = dC * i * (1 - C_bar ** 2)
        di = dC * C_bar * i * (1 - i)
        df = dC * C_prev * f * (1 - f)
        self.dWf = df @ z.T; self.dbf = df
        self.dWi = di @ z.T; self.dbi = di
        self.dWc = dC_bar @ z.T; self.dbc = dC_bar
        self.dWo = do @ z.T; self.dbo = do
        dz = self.Wf.T @ df + self.Wi.T @ di + self.Wc.T @ dC_bar + self.Wo.T @ do
        dh_prev = dz[:self.hidden_size]
        dx = dz[self.hidden_size:]
        dC_prev = f * dC
        return dx, dh_prev, dC_prev
""",
    ("+ self.Wo.T @ do\n", "\n"),
)

stranger(
    "a chain of tags: the sum over all paths forward and back",
    2,
    """
from scipy.special import logsumexp
def crf_loss(emissions, transitions, tags):
    T, K = emissions.shape
    alphas = np.zeros((T, K)); betas = np.zeros((T, K))
    alphas[0] = emissions[0]
    for t in range(1, T):
        alphas[t] = logsumexp(alphas[t-1][:, None] + transitions, axis=0) + emissions[t]
    for t in reversed(range(T - 1)):
        betas[t] = logsumexp(transitions + emissions[t+1] + betas[t+1], axis=1)
    log_z = logsumexp(alphas[-1])
    gold = emissions[np.arange(T), tags].sum()
    gold += sum(transitions[tags[t], tags[t+1]] for t in range(T - 1))
    loss = log_z - gold
    d_emissions = np.exp(alphas + betas - log_z)
    d_transitions = np.zeros_like(transitions)
    for t in range(T - 1):
        d_transitions += np.exp(alphas[t][:, None] + transitions + emissions[t+1] + betas[t+1] - log_z)
        d_transitions[tags[t], tags[t+1]] -= 1
    for t in range(T):
        d_emissions[t, tags[t]] -= 1
    return loss, d_emissions, d_transitions
""",
    ("d_transitions[tags[t], tags[t+1]] -= 1", "d_transitions[tags[t+1], tags[t]] -= 1"),
)

stranger(
    "convolution of each channel: stride and padding by default",
    2,
    """
class DepthwiseConv2D:
    def __init__(self, channels, kernel_size=3, stride=1, padding=0):
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.W = np.random.randn(channels, kernel_size, kernel_size) * 0.1
    def forward(self, x):
        p, k, s = self.padding, self.kernel_size, self.stride
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.shape = x.shape
        n, c, h, w = x.shape
        oh, ow = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        out = np.zeros((n, c, oh, ow))
        for i in range(oh):
            for j in range(ow):
                out[:, :, i, j] = (self.xp[:, :, i*s:i*s+k, j*s:j*s+k] * self.W).sum(axis=(2, 3))
        return out
    def backward(self, dout):
        p, k, s = self.padding, self.kernel_size, self.stride
        dxp = np.zeros_like(self.xp)
        self.dW = np.zeros_like(self.W)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                d = dout[:, :, i, j][:, :, None, None]
                self.dW += (d * self.xp[:, :, i*s:i*s+k, j*s:j*s+k]).sum(axis=0)
                dxp[:, :, i*s:i*s+k, j*s:j*s+k] += d * self.W
        h, w = self.shape[2:]
        return dxp[:, :, p:p+h, p:p+w]
""",
    ("return dxp[:, :, p:p+h, p:p+w]", "return dxp[:, :, :h, :w]"),
    ("dxp[:, :, i*s:i*s+k, j*s:j*s+k] += d", "dxp[:, :, i:i+k, j:j+k] += d"),
)

stranger(
    "pooling with a mode by default",
    1,
    """
class Pool2D:
    def __init__(self, size=2, stride=2, mode="max"):
        self.size, self.stride, self.mode = size, stride, mode
    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        s, k = self.stride, self.size
        oh, ow = (h - k) // s + 1, (w - k) // s + 1
        out = np.zeros((n, c, oh, ow))
        for i in range(oh):
            for j in range(ow):
                win = x[:, :, i*s:i*s+k, j*s:j*s+k]
                out[:, :, i, j] = win.max(axis=(2, 3)) if self.mode == "max" else win.mean(axis=(2, 3))
        return out
    def backward(self, dout):
        s, k = self.stride, self.size
        dx = np.zeros_like(self.x)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                win = self.x[:, :, i*s:i*s+k, j*s:j*s+k]
                d = dout[:, :, i, j][:, :, None, None]
                if self.mode == "max":
                    dx[:, :, i*s:i*s+k, j*s:j*s+k] += d * (win == win.max(axis=(2, 3), keepdims=True))
                elif self.mode == "avg":
                    dx[:, :, i*s:i*s+k, j*s:j*s+k] += d / (k * k)
        return dx
""",
    ("+= d / (k * k)", "+= d"),
)

stranger(
    "a slope by default",
    1,
    """
class LeakyReLU:
    def __init__(self, alpha=0.01):
        self.alpha = alpha
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)
    def backward(self, grad):
        return np.where(self.x > 0, grad, self.alpha * grad)
""",
    ("self.alpha * grad)", "0.01 * grad)"),
)

stranger(
    "an axis by default",
    1,
    """
def softmax_forward(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    p = e / e.sum(axis=axis, keepdims=True)
    return p, (p, axis)
def softmax_backward(dout, cache):
    p, axis = cache
    return p * (dout - (dout * p).sum(axis=axis, keepdims=True))
""",
    ("(dout * p).sum(axis=axis", "(dout * p).sum(axis=-1"),
)

stranger(
    "a convolution with a dilation by default",
    3,
    """
class Conv1D:
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, pad=0, dilation=1):
        self.k, self.stride, self.pad, self.dilation = kernel_size, stride, pad, dilation
        self.W = np.random.randn(out_channels, in_channels, kernel_size) * 0.2
        self.b = np.zeros(out_channels)
    def forward(self, X):
        self.X = X
        N, C, L = X.shape
        Xp = np.pad(X, ((0, 0), (0, 0), (self.pad, self.pad)))
        span = self.dilation * (self.k - 1) + 1
        L_out = (L + 2 * self.pad - span) // self.stride + 1
        out = np.zeros((N, self.W.shape[0], L_out))
        for t in range(L_out):
            st = t * self.stride
            patch = Xp[:, :, st:st + span:self.dilation]
            out[:, :, t] = np.tensordot(patch, self.W, axes=([1, 2], [1, 2])) + self.b
        return out
    def backward(self, dout):
        N, C, L = self.X.shape
        Xp = np.pad(self.X, ((0, 0), (0, 0), (self.pad, self.pad)))
        span = self.dilation * (self.k - 1) + 1
        dXp, self.dW = np.zeros_like(Xp), np.zeros_like(self.W)
        self.db = dout.sum(axis=(0, 2))
        for t in range(dout.shape[2]):
            st = t * self.stride
            patch = Xp[:, :, st:st + span:self.dilation]
            self.dW += np.tensordot(dout[:, :, t], patch, axes=([0], [0]))
            dXp[:, :, st:st + span:self.dilation] += np.tensordot(dout[:, :, t], self.W, axes=([1], [0]))
        return dXp[:, :, self.pad:self.pad + L]
""",
    ("dXp[:, :, st:st + span:self.dilation] +=", "dXp[:, :, st:st + self.k] +="),
)

stranger(
    "layers that take the step by an optimizer that they are handed",
    6,
    """
import math
import copy
class Layer(object):
    def set_input_shape(self, shape):
        self.input_shape = shape
    def layer_name(self):
        return self.__class__.__name__
    def parameters(self):
        return 0
    def forward_pass(self, X, training):
        raise NotImplementedError()
    def backward_pass(self, accum_grad):
        raise NotImplementedError()
    def output_shape(self):
        raise NotImplementedError()
class SGD:
    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate
    def update(self, w, grad):
        return w - self.learning_rate * grad
class Dense(Layer):
    def __init__(self, n_units, input_shape=None):
        self.layer_input = None
        self.input_shape = input_shape
        self.n_units = n_units
        self.trainable = True
        self.W = None
        self.w0 = None
    def initialize(self, optimizer):
        limit = 1 / math.sqrt(self.input_shape[0])
        self.W  = np.random.uniform(-limit, limit, (self.input_shape[0], self.n_units))
        self.w0 = np.zeros((1, self.n_units))
        self.W_opt  = copy.copy(optimizer)
        self.w0_opt = copy.copy(optimizer)
    def forward_pass(self, X, training=True):
        self.layer_input = X
        return X.dot(self.W) + self.w0
    def backward_pass(self, accum_grad):
        W = self.W
        if self.trainable:
            grad_w = self.layer_input.T.dot(accum_grad)
            grad_w0 = np.sum(accum_grad, axis=0, keepdims=True)
            self.W = self.W_opt.update(self.W, grad_w)
            self.w0 = self.w0_opt.update(self.w0, grad_w0)
        accum_grad = accum_grad.dot(W.T)
        return accum_grad
class Activation(Layer):
    def __init__(self, name):
        self.activation_name = name
        self.activation_func = Sigmoid()
    def forward_pass(self, X, training=True):
        self.layer_input = X
        return self.activation_func(X)
    def backward_pass(self, accum_grad):
        return accum_grad * self.activation_func.gradient(self.layer_input)
class Sigmoid():
    def __call__(self, x):
        return 1 / (1 + np.exp(-x))
    def gradient(self, x):
        return self.__call__(x) * (1 - self.__call__(x))
class Dropout(Layer):
    def __init__(self, p=0.2):
        self.p = p
        self._mask = None
        self.n_units = None
    def forward_pass(self, X, training=True):
        c = (1 - self.p)
        if training:
            self._mask = np.random.uniform(size=X.shape) > self.p
            c = self._mask
        return X * c
    def backward_pass(self, accum_grad):
        return accum_grad * self._mask
""",
    ("np.sum(accum_grad, axis=0, keepdims=True)", "np.mean(accum_grad, axis=0, keepdims=True)"),
)

stranger(
    "embedding, batch norm and a softmax by hand, some biases flat and some in rows",
    7,
    """
def forward(Xb, C, W1, b1, bngain, bnbias, W2, b2):
    emb = C[Xb]
    embcat = emb.reshape(emb.shape[0], -1)
    hprebn = embcat @ W1 + b1
    bnmeani = hprebn.mean(0, keepdims=True)
    bndiff = hprebn - bnmeani
    bnvar = (bndiff ** 2).sum(0, keepdims=True) / (hprebn.shape[0] - 1)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = np.tanh(hpreact)
    logits = h @ W2 + b2
    return logits, (Xb, C, emb, embcat, W1, bnraw, bnvar_inv, bngain, h, W2)
def backward(dlogits, cache):
    Xb, C, emb, embcat, W1, bnraw, bnvar_inv, bngain, h, W2 = cache
    n = h.shape[0]
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    dhpreact = (1.0 - h ** 2) * dh
    dbngain = (bnraw * dhpreact).sum(0, keepdims=True)
    dbnbias = dhpreact.sum(0, keepdims=True)
    along = (dhpreact * bnraw).sum(0)
    dhprebn = bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - n / (n - 1) * bnraw * along)
    dembcat = dhprebn @ W1.T
    dW1 = embcat.T @ dhprebn
    db1 = dhprebn.sum(0)
    demb = dembcat.reshape(emb.shape)
    dC = np.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            dC[Xb[k, j]] += demb[k, j]
    return dC, dW1, db1, dbngain, dbnbias, dW2, db2
""",
    ("dC[Xb[k, j]] += demb[k, j]", "dC[Xb[k, j]] = demb[k, j]"),
)

stranger(
    "layers that are told the shape of one sample, a softmax of a column",
    11,
    """
from scipy import signal
class Layer:
    def __init__(self):
        self.input = None
        self.output = None
    def forward(self, input):
        pass
    def backward(self, output_gradient, learning_rate):
        pass
class Dense(Layer):
    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(output_size, input_size)
        self.bias = np.random.randn(output_size, 1)
    def forward(self, input):
        self.input = input
        return np.dot(self.weights, self.input) + self.bias
    def backward(self, output_gradient, learning_rate):
        weights_gradient = np.dot(output_gradient, self.input.T)
        input_gradient = np.dot(self.weights.T, output_gradient)
        self.weights -= learning_rate * weights_gradient
        self.bias -= learning_rate * output_gradient
        return input_gradient
class Convolutional(Layer):
    def __init__(self, input_shape, kernel_size, depth):
        input_depth, input_height, input_width = input_shape
        self.depth = depth
        self.input_shape = input_shape
        self.input_depth = input_depth
        self.output_shape = (depth, input_height - kernel_size + 1, input_width - kernel_size + 1)
        self.kernels_shape = (depth, input_depth, kernel_size, kernel_size)
        self.kernels = np.random.randn(*self.kernels_shape)
        self.biases = np.random.randn(*self.output_shape)
    def forward(self, input):
        self.input = input
        self.output = np.copy(self.biases)
        for i in range(self.depth):
            for j in range(self.input_depth):
                self.output[i] += signal.correlate2d(self.input[j], self.kernels[i, j], "valid")
        return self.output
    def backward(self, output_gradient, learning_rate):
        kernels_gradient = np.zeros(self.kernels_shape)
        input_gradient = np.zeros(self.input_shape)
        for i in range(self.depth):
            for j in range(self.input_depth):
                kernels_gradient[i, j] = signal.correlate2d(self.input[j], output_gradient[i], "valid")
                input_gradient[j] += signal.convolve2d(output_gradient[i], self.kernels[i, j], "full")
        self.kernels -= learning_rate * kernels_gradient
        self.biases -= learning_rate * output_gradient
        return input_gradient
class Reshape(Layer):
    def __init__(self, input_shape, output_shape):
        self.input_shape = input_shape
        self.output_shape = output_shape
    def forward(self, input):
        return np.reshape(input, self.output_shape)
    def backward(self, output_gradient, learning_rate):
        return np.reshape(output_gradient, self.input_shape)
class Activation(Layer):
    def __init__(self, activation, activation_prime):
        self.activation = activation
        self.activation_prime = activation_prime
    def forward(self, input):
        self.input = input
        return self.activation(self.input)
    def backward(self, output_gradient, learning_rate):
        return np.multiply(output_gradient, self.activation_prime(self.input))
class Tanh(Activation):
    def __init__(self):
        def tanh(x):
            return np.tanh(x)
        def tanh_prime(x):
            return 1 - np.tanh(x) ** 2
        super().__init__(tanh, tanh_prime)
class Softmax(Layer):
    def forward(self, input):
        tmp = np.exp(input)
        self.output = tmp / np.sum(tmp)
        return self.output
    def backward(self, output_gradient, learning_rate):
        n = np.size(self.output)
        return np.dot((np.identity(n) - self.output.T) * self.output, output_gradient)
def mse(y_true, y_pred):
    return np.mean(np.power(y_true - y_pred, 2))
def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / np.size(y_true)
def binary_cross_entropy(y_true, y_pred):
    return np.mean(-y_true * np.log(y_pred) - (1 - y_true) * np.log(1 - y_pred))
def binary_cross_entropy_prime(y_true, y_pred):
    return ((1 - y_true) / (1 - y_pred) - y_true / y_pred) / np.size(y_true)
""",
    ("signal.convolve2d(output_gradient[i]", "signal.correlate2d(output_gradient[i]"),
)

stranger(
    "a network with a sigmoid behind its last layer, whose backward takes labels",
    5,
    """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
class Discriminator:
    def __init__(self, n_in, n_hidden):
        self.W1 = np.random.randn(n_in, n_hidden) * 0.5
        self.b1 = np.zeros(n_hidden)
        self.W2 = np.random.randn(n_hidden, 1) * 0.5
        self.b2 = np.zeros(1)
    def forward(self, x):
        self.x = x
        self.h = np.maximum(0.2 * (x @ self.W1 + self.b1), x @ self.W1 + self.b1)
        self.logits = self.h @ self.W2 + self.b2
        return sigmoid(self.logits)
    def backward(self, labels):
        d = (sigmoid(self.logits) - labels) / len(labels)
        self.dW2 = self.h.T @ d
        self.db2 = d.sum(axis=0)
        dh = d @ self.W2.T
        dh = np.where(self.h > 0, dh, 0.2 * dh)
        self.dW1 = self.x.T @ dh
        self.db1 = dh.sum(axis=0)
        return dh @ self.W1.T
""",
    ("0.2 * dh)", "0.0 * dh)"),
)

stranger(
    "a loss with its gradients as a method, the bias one number",
    2,
    """
class LogisticRegression:
    def __init__(self, lr=0.01, n_iters=1000, lambda_=0.1):
        self.lr, self.n_iters, self.lambda_ = lr, n_iters, lambda_
    def _sigmoid(self, z):
        return 1 / (1 + np.exp(-z))
    def fit(self, X, y):
        self.w = np.zeros(X.shape[1]); self.b = 0.0
        for _ in range(self.n_iters):
            _, dw, db = self.loss_and_grad(self.w, self.b, X, y)
            self.w -= self.lr * dw; self.b -= self.lr * db
    def loss_and_grad(self, w, b, X, y):
        n = len(y)
        p = self._sigmoid(X @ w + b)
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + 0.5 * self.lambda_ * np.sum(w ** 2)
        dw = X.T @ (p - y) / n + self.lambda_ * w
        db = np.mean(p - y)
        return loss, dw, db
""",
    ("db = np.mean(p - y)", "db = np.sum(p - y)"),
)

stranger(
    "attention with rotated positions",
    5,
    """
def rope(x, sign=1.0):
    *_, T, D = x.shape
    half = D // 2
    freqs = 1.0 / (100.0 ** (np.arange(half) / half))
    ang = np.arange(T)[:, None] * freqs[None, :]
    c, s = np.cos(ang), sign * np.sin(ang)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * c - b * s, a * s + b * c], axis=-1)
class RopeAttention:
    def __init__(self, dim=4):
        g = np.random.default_rng(0)
        self.Wq, self.Wk, self.Wv, self.Wo = (g.normal(size=(dim, dim)) * 0.5 for _ in range(4))
    def forward(self, x):
        T, D = x.shape[-2:]
        q, k, v = rope(x @ self.Wq), rope(x @ self.Wk), x @ self.Wv
        s = q @ k.swapaxes(-1, -2) / np.sqrt(D)
        s = np.where(np.tril(np.ones((T, T))) > 0, s, -1e9)
        p = np.exp(s - s.max(-1, keepdims=True)); p /= p.sum(-1, keepdims=True)
        o = p @ v
        self.c = x, q, k, v, p, o
        return o @ self.Wo
    def backward(self, dy):
        x, q, k, v, p, o = self.c
        D = x.shape[-1]
        flat = lambda a: a.reshape(-1, D)
        self.dWo = flat(o).T @ flat(dy)
        do = dy @ self.Wo.T
        dv = p.swapaxes(-1, -2) @ do
        dp = do @ v.swapaxes(-1, -2)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(D)
        dq, dk = rope(ds @ k, -1.0), rope(ds.swapaxes(-1, -2) @ q, -1.0)
        self.dWq, self.dWk, self.dWv = flat(x).T @ flat(dq), flat(x).T @ flat(dk), flat(x).T @ flat(dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T
""",
    ("rope(ds @ k, -1.0)", "rope(ds @ k)"),
)
