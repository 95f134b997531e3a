"""More of what strangers write: networks that take one sample or train inside, and small engines of autograd."""

from __future__ import annotations

from strangers import stranger

stranger(
    "a network of one flat sample: outer products, and the targets go to backward alone",
    4,
    """
class SmallNetwork:
    def __init__(self, n_inputs, n_hidden, n_outputs):
        self.W1 = np.random.randn(n_hidden, n_inputs)
        self.b1 = np.zeros(n_hidden)
        self.W2 = np.random.randn(n_outputs, n_hidden)
        self.b2 = np.zeros(n_outputs)
    def forward(self, x):
        self.x = x
        self.h = np.tanh(self.W1 @ x + self.b1)
        self.out = self.W2 @ self.h + self.b2
        return self.out
    def backward(self, y):
        d2 = self.out - y
        self.dW2 = np.outer(d2, self.h)
        self.db2 = d2
        d1 = (self.W2.T @ d2) * (1 - self.h ** 2)
        self.dW1 = np.outer(d1, self.x)
        self.db1 = d1
""",
    ("(1 - self.h ** 2)", "(1 - self.h)"),
    ("np.outer(d1, self.x)", "np.outer(d2, self.x)"),
    ("(self.W2.T @ d2)", "(self.W2 @ d2)"),
)


stranger(
    "a network of one flat sample that takes its step with a rate of its own",
    4,
    """
class Perceptron:
    def __init__(self, n_in, n_hidden, n_out, lr=0.1):
        self.lr = lr
        self.w1, self.b1 = np.random.randn(n_in, n_hidden), np.zeros(n_hidden)
        self.w2, self.b2 = np.random.randn(n_hidden, n_out), np.zeros(n_out)
    def squash(self, z):
        return 1 / (1 + np.exp(-z))
    def forward(self, x):
        self.hidden = self.squash(np.dot(x, self.w1) + self.b1)
        self.output = self.squash(np.dot(self.hidden, self.w2) + self.b2)
        return self.output
    def backward(self, x, y):
        d_out = (self.output - y) * self.output * (1 - self.output)
        d_hidden = np.dot(self.w2, d_out) * self.hidden * (1 - self.hidden)
        self.w2 -= self.lr * np.outer(self.hidden, d_out)
        self.b2 -= self.lr * d_out
        self.w1 -= self.lr * np.outer(x, d_hidden)
        self.b1 -= self.lr * d_hidden
""",
    ("* self.hidden * (1 - self.hidden)", ""),
    ("np.dot(self.w2, d_out)", "np.dot(d_out, self.w2)"),
)


stranger(
    "a network that hands on the list of its activations",
    4,
    """
class Net:
    def __init__(self, n_in=4, n_hidden=5, n_out=3):
        self.weights = [np.random.randn(n_in, n_hidden), np.random.randn(n_hidden, n_out)]
        self.biases = [np.zeros(n_hidden), np.zeros(n_out)]
    def forward(self, X):
        activations = [X]
        for W, b in zip(self.weights, self.biases):
            activations.append(1 / (1 + np.exp(-(activations[-1] @ W + b))))
        return activations
    def backward(self, activations, y):
        delta, dW, db = activations[-1] - y, [], []
        for i in reversed(range(len(self.weights))):
            dW.insert(0, activations[i].T @ delta / len(y))
            db.insert(0, delta.sum(axis=0) / len(y))
            delta = delta @ self.weights[i].T * activations[i] * (1 - activations[i])
        return dW, db
""",
    ("* (1 - activations[i])", ""),
    ("db.insert(0, delta.sum(axis=0) / len(y))", "db.insert(0, delta.sum(axis=0))"),
)


stranger(
    "fit has the passes inline and takes its steps with the rate of the object",
    4,
    """
class Regressor:
    def __init__(self, n_in, n_hidden, n_out, lr=0.1):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden) * 0.5, np.zeros((1, n_hidden))
        self.W2, self.b2 = np.random.randn(n_hidden, n_out) * 0.5, np.zeros((1, n_out))
        self.lr = lr
    def predict(self, X):
        return np.tanh(X @ self.W1 + self.b1) @ self.W2 + self.b2
    def fit(self, X, y, epochs=1000, batch_size=32):
        for epoch in range(epochs):
            for i in range(0, len(X), batch_size):
                xb, yb = X[i:i + batch_size], y[i:i + batch_size]
                h = np.tanh(xb @ self.W1 + self.b1)
                out = h @ self.W2 + self.b2
                d = out - yb
                dh = d @ self.W2.T * (1 - h ** 2)
                self.W2 -= self.lr * h.T @ d
                self.b2 -= self.lr * d.sum(axis=0, keepdims=True)
                self.W1 -= self.lr * xb.T @ dh
                self.b1 -= self.lr * dh.sum(axis=0, keepdims=True)
            print(epoch)
""",
    ("(1 - h ** 2)", "(1 - h)"),
    ("dh = d @ self.W2.T", "dh = d @ self.W2.T / 2"),
)


stranger(
    "a step of training gives its own loss",
    4,
    """
class MLP:
    def __init__(self, sizes, lr=0.05):
        self.lr = lr
        self.W = [np.random.randn(a, b) * 0.3 for a, b in zip(sizes[:-1], sizes[1:])]
        self.b = [np.zeros(b) for b in sizes[1:]]
    def forward(self, X):
        self.a = [X]
        for i, (W, b) in enumerate(zip(self.W, self.b)):
            z = self.a[-1] @ W + b
            self.a.append(np.tanh(z) if i < len(self.W) - 1 else z)
        return self.a[-1]
    def train_step(self, X, y):
        out = self.forward(X)
        loss = 0.5 * np.mean(np.sum((out - y) ** 2, axis=1))
        delta = (out - y) / len(X)
        for i in reversed(range(len(self.W))):
            dW, db = self.a[i].T @ delta, delta.sum(axis=0)
            delta = delta @ self.W[i].T * (1 - self.a[i] ** 2)
            self.W[i] -= self.lr * dW
            self.b[i] -= self.lr * db
        return loss
""",
    ("delta = (out - y) / len(X)", "delta = 2 * (out - y) / len(X)"),
    ("* (1 - self.a[i] ** 2)", ""),
)


stranger(
    "fit begins with parameters of its own",
    2,
    """
class LogisticRegression:
    def __init__(self, learning_rate=0.1, n_iters=100):
        self.lr, self.n_iters, self.weights, self.bias = learning_rate, n_iters, None, None
    def fit(self, X, y):
        n_samples, n_features = X.shape
        self.weights, self.bias = np.zeros(n_features), 0
        for _ in range(self.n_iters):
            p = 1 / (1 + np.exp(-(X @ self.weights + self.bias)))
            dw, db = X.T @ (p - y) / n_samples, np.sum(p - y) / n_samples
            self.weights -= self.lr * dw
            self.bias -= self.lr * db
    def predict_proba(self, X):
        return 1 / (1 + np.exp(-(X @ self.weights + self.bias)))
""",
    ("np.sum(p - y) / n_samples", "np.sum(p - y)"),
)


stranger(
    "train takes lists of inputs and targets and turns them into columns",
    2,
    """
class NeuralNetwork:
    def __init__(self, inputnodes, hiddennodes, outputnodes, learningrate):
        self.wih = np.random.randn(hiddennodes, inputnodes)
        self.who = np.random.randn(outputnodes, hiddennodes)
        self.lr = learningrate
        self.activation = lambda x: 1 / (1 + np.exp(-x))
    def train(self, inputs_list, targets_list):
        inputs, targets = np.array(inputs_list, ndmin=2).T, np.array(targets_list, ndmin=2).T
        hidden = self.activation(self.wih @ inputs)
        final = self.activation(self.who @ hidden)
        delta = (targets - final) * final * (1 - final)
        back = self.who.T @ delta
        self.who += self.lr * delta @ hidden.T
        self.wih += self.lr * (back * hidden * (1 - hidden)) @ inputs.T
    def query(self, inputs_list):
        return self.activation(self.who @ self.activation(self.wih @ np.array(inputs_list, ndmin=2).T))
""",
    ("back = self.who.T @ delta", "back = self.who.T @ (targets - final)"),
)


stranger(
    "a cost and compute_gradients beside a forward pass of another name",
    4,
    """
class Classifier:
    def __init__(self, n_in, n_hidden, n_out):
        self.params = {"W1": np.random.randn(n_in, n_hidden), "b1": np.zeros(n_hidden),
                       "W2": np.random.randn(n_hidden, n_out), "b2": np.zeros(n_out)}
    def evaluate_classifier(self, X):
        h = np.maximum(X @ self.params["W1"] + self.params["b1"], 0)
        s = h @ self.params["W2"] + self.params["b2"]
        e = np.exp(s - s.max(axis=1, keepdims=True))
        return h, e / e.sum(axis=1, keepdims=True)
    def compute_cost(self, X, Y, lam):
        P = self.evaluate_classifier(X)[1]
        return -np.mean(np.sum(Y * np.log(P), axis=1)) + lam * sum(np.sum(self.params[k] ** 2) for k in ("W1", "W2"))
    def compute_gradients(self, X, Y, lam):
        h, P = self.evaluate_classifier(X)
        g, grads = (P - Y) / len(X), {}
        grads["W2"], grads["b2"] = h.T @ g + 2 * lam * self.params["W2"], g.sum(axis=0)
        g = g @ self.params["W2"].T * (h > 0)
        grads["W1"], grads["b1"] = X.T @ g + 2 * lam * self.params["W1"], g.sum(axis=0)
        return grads
""",
    ('2 * lam * self.params["W1"]', 'lam * self.params["W1"]'),
    ("* (h > 0)", ""),
)


stranger(
    "operations as classes of an engine whose own backward walks the contexts",
    6,
    """
class Tensor:
    def __init__(self, data):
        self.data, self.grad, self.ctx = np.asarray(data, dtype=np.float64), None, None
    def backward(self):
        if self.ctx is None:
            return
        if self.grad is None:
            self.grad = np.ones_like(self.data)
        grads = self.ctx.backward(self.ctx, self.grad)
        for parent, grad in zip(self.ctx.parents, grads if isinstance(grads, tuple) else (grads,)):
            parent.grad = grad if parent.grad is None else parent.grad + grad
            parent.backward()
    def mul(self, other): return Mul.apply(Mul, self, other)
    def relu(self): return ReLU.apply(ReLU, self)
class Function:
    def __init__(self, *tensors):
        self.parents, self.saved = tensors, ()
    def save_for_backward(self, *arrays):
        self.saved = arrays
    def apply(self, *tensors):
        ctx = self(*tensors)
        made = Tensor(self.forward(ctx, *[t.data for t in tensors]))
        made.ctx = ctx
        return made
class Mul(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y
    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved
        return y * g, x * g
class ReLU(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return np.maximum(x, 0)
    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved
        return g * (x > 0)
""",
    ("return y * g, x * g", "return x * g, y * g"),
    ("return g * (x > 0)", "return (x > 0) * 1.0"),
    ("parent.grad + grad", "grad"),
)


stranger(
    "operations take boxes and a context of the file's own",
    4,
    """
class Array:
    def __init__(self, data, requires_grad=False):
        self.data, self.requires_grad, self.grad = np.asarray(data), requires_grad, None
class Context:
    def __init__(self):
        self.kept, self.axis = (), None
    def store(self, *arrays):
        self.kept = arrays
def as_array(x):
    return x if isinstance(x, Array) else Array(x)
class MatMul:
    @staticmethod
    def forward(ctx, a, b):
        ctx.store(a, b)
        return Array(a.data @ b.data)
    @staticmethod
    def backward(ctx, grad):
        a, b = ctx.kept
        return grad @ b.data.T, a.data.T @ grad
class Softmax:
    @staticmethod
    def forward(ctx, a, axis=-1):
        a = as_array(a)
        e = np.exp(a.data - a.data.max(axis=axis, keepdims=True))
        ctx.store(e / e.sum(axis=axis, keepdims=True))
        ctx.axis = axis
        return Array(ctx.kept[0])
    @staticmethod
    def backward(ctx, grad):
        s, = ctx.kept
        return s * (grad - (s * grad).sum(axis=ctx.axis, keepdims=True)), None
class Clip:
    @staticmethod
    def forward(ctx, a, low, high):
        a, low, high = as_array(a), as_array(low), as_array(high)
        ctx.store(a, low, high)
        return Array(np.clip(a.data, low.data, high.data))
    @staticmethod
    def backward(ctx, grad):
        a, low, high = ctx.kept
        return grad * (a.data > low.data) * (a.data < high.data), None, None
""",
    ("return grad @ b.data.T, a.data.T @ grad", "return grad @ b.data, a.data.T @ grad"),
    ("(grad - (s * grad).sum(axis=ctx.axis, keepdims=True))", "(1 - s) * grad"),
    ("* (a.data < high.data), None", ", None"),
)


stranger(
    "an engine that adds up over the axes that a bias lacks",
    5,
    """
class Tensor:
    def __init__(self, data, parents=()):
        self.data = np.array(data, dtype=float)
        self.grad, self.parents, self._backward = np.zeros_like(self.data), parents, lambda: None
    def __add__(self, other):
        out = Tensor(self.data + other.data, (self, other))
        def back():
            self.grad += out.grad
            g = out.grad
            while g.ndim > other.data.ndim:
                g = g.sum(axis=0)
            other.grad += g
        out._backward = back
        return out
    def backward(self, grad=None):
        order, seen = [], set()
        def visit(t):
            if id(t) not in seen:
                seen.add(id(t))
                for parent in t.parents:
                    visit(parent)
                order.append(t)
        visit(self)
        self.grad = np.ones_like(self.data) if grad is None else grad
        for t in reversed(order):
            t._backward()
""",
    ("g = g.sum(axis=0)", "g = g.mean(axis=0)"),
    ("other.grad += g", "other.grad = g"),
)


stranger(
    "backward adds its gradient to an array that it is handed, forward returns what it kept",
    3,
    """
def flatten_forward(x):
    return x.reshape(len(x), -1), x.shape
def flatten_backward(out_grad, out_buffer, original_shape):
    out_buffer += out_grad.reshape(original_shape)
def dense_forward(x, w):
    return x @ w, (x, w)
def dense_backward(out_grad, x_grad, w_grad, cache):
    x, w = cache
    x_grad += out_grad @ w.T
    w_grad += x.T @ out_grad
""",
    ("out_grad.reshape(original_shape)", "out_grad.reshape(original_shape) / 2"),
    ("w_grad += x.T @ out_grad", "w_grad += x.T @ out_grad / len(x)"),
)


stranger(
    "forward keeps its local derivative under the name of a gradient",
    1,
    """
class LeakyGate:
    def forward(self, input):
        self.d_input = np.where(input > 0, 1.0, 0.1)
        return np.where(input > 0, input, 0.1 * input)
    def backward(self, gradient):
        return gradient * self.d_input
""",
    ("self.d_input = np.where(input > 0, 1.0, 0.1)", "self.d_input = np.where(input > 0, 1.0, 0.2)"),
)


stranger(
    "a network whose backward pass adds the decay of its weights, and no loss is written",
    4,
    """
class Net:
    def __init__(self, n_in, n_hidden, n_out, reg=0.01):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden) * 0.5, np.zeros(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_out) * 0.5, np.zeros(n_out)
        self.reg = reg
    def forward(self, X):
        self.X, self.h = X, np.tanh(X @ self.W1 + self.b1)
        self.out = self.h @ self.W2 + self.b2
        return self.out
    def backward(self, y):
        d = (self.out - y) / len(y)
        self.dW2, self.db2 = self.h.T @ d + self.reg * self.W2, d.sum(axis=0)
        d = d @ self.W2.T * (1 - self.h ** 2)
        self.dW1, self.db1 = self.X.T @ d + self.reg * self.W1, d.sum(axis=0)
""",
    ("* (1 - self.h ** 2)", ""),
    ("self.X.T @ d + self.reg * self.W1, d.sum(axis=0)", "self.X.T @ d + self.reg * self.W1, d.mean(axis=0)"),
)


stranger(
    "train gives the loss after its last step, which is not the one that the step is of",
    2,
    """
class Net:
    def __init__(self, n_in, n_out, lr=0.1):
        self.W, self.b, self.lr = np.random.randn(n_in, n_out), np.zeros(n_out), lr
    def forward(self, X):
        return np.tanh(X @ self.W + self.b)
    def train(self, X, y, epochs=10):
        for _ in range(epochs):
            out = self.forward(X)
            d = (out - y) * (1 - out ** 2)
            self.W -= self.lr * X.T @ d
            self.b -= self.lr * d.sum(axis=0)
            loss = np.mean((self.forward(X) - y) ** 2)
        return loss
""",
    ("self.lr * d.sum(axis=0)", "self.lr * d.mean(axis=0)"),
)
