"""Timekeepers: recurrent code that keeps its steps in dicts, and attention in its usual dresses."""

from __future__ import annotations

from strangers import stranger

stranger(
    "LSTM with a dict for each quantity, which hands nothing on",
    8,
    """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
class LSTM:
    def __init__(self, input_size, hidden_size):
        z = input_size + hidden_size
        self.hidden_size = hidden_size
        self.Wf = np.random.randn(hidden_size, z) * 0.1
        self.bf = np.zeros((hidden_size, 1))
        self.Wi = np.random.randn(hidden_size, z) * 0.1
        self.bi = np.zeros((hidden_size, 1))
        self.Wc = np.random.randn(hidden_size, z) * 0.1
        self.bc = np.zeros((hidden_size, 1))
        self.Wo = np.random.randn(hidden_size, z) * 0.1
        self.bo = np.zeros((hidden_size, 1))
    def forward(self, inputs):
        self.zs, self.fs, self.is_, self.cbars, self.os, self.hs, self.cs = {}, {}, {}, {}, {}, {}, {}
        self.hs[-1] = np.zeros((self.hidden_size, 1))
        self.cs[-1] = np.zeros((self.hidden_size, 1))
        self.T = len(inputs)
        outputs = []
        for t in range(self.T):
            z = np.vstack((self.hs[t - 1], inputs[t].reshape(-1, 1)))
            self.zs[t] = z
            self.fs[t] = sigmoid(self.Wf @ z + self.bf)
            self.is_[t] = sigmoid(self.Wi @ z + self.bi)
            self.cbars[t] = np.tanh(self.Wc @ z + self.bc)
            self.cs[t] = self.fs[t] * self.cs[t - 1] + self.is_[t] * self.cbars[t]
            self.os[t] = sigmoid(self.Wo @ z + self.bo)
            self.hs[t] = self.os[t] * np.tanh(self.cs[t])
            outputs.append(self.hs[t])
        return np.array(outputs)
    def backward(self, douts):
        self.dWf, self.dbf = np.zeros_like(self.Wf), np.zeros_like(self.bf)
        self.dWi, self.dbi = np.zeros_like(self.Wi), np.zeros_like(self.bi)
        self.dWc, self.dbc = np.zeros_like(self.Wc), np.zeros_like(self.bc)
        self.dWo, self.dbo = np.zeros_like(self.Wo), np.zeros_like(self.bo)
        dh_next = np.zeros((self.hidden_size, 1))
        dc_next = np.zeros((self.hidden_size, 1))
        for t in reversed(range(self.T)):
            dh = douts[t] + dh_next
            do = dh * np.tanh(self.cs[t]) * self.os[t] * (1 - self.os[t])
            dc = dh * self.os[t] * (1 - np.tanh(self.cs[t]) ** 2) + dc_next
            df = dc * self.cs[t - 1] * self.fs[t] * (1 - self.fs[t])
            di = dc * self.cbars[t] * self.is_[t] * (1 - self.is_[t])
            dcbar = dc * self.is_[t] * (1 - self.cbars[t] ** 2)
            self.dWf += df @ self.zs[t].T
            self.dbf += df
            self.dWi += di @ self.zs[t].T
            self.dbi += di
            self.dWc += dcbar @ self.zs[t].T
            self.dbc += dcbar
            self.dWo += do @ self.zs[t].T
            self.dbo += do
            dz = self.Wf.T @ df + self.Wi.T @ di + self.Wc.T @ dcbar + self.Wo.T @ do
            dh_next = dz[: self.hidden_size]
            dc_next = dc * self.fs[t]
""",
    ("dh = douts[t] + dh_next", "dh = douts[t]"),
    ("dc * self.cs[t - 1] *", "dc * self.cs[t] *"),
)


stranger(
    "LSTM as a pair, dicts that begin with -1",
    6,
    """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
def lstm_forward(xs, h0, c0, Wx, Wh, b):
    hs, cs, gates = {-1: h0}, {-1: c0}, {}
    H = h0.shape[1]
    for t in range(xs.shape[0]):
        a = xs[t] @ Wx + hs[t - 1] @ Wh + b
        i, f, o, g = (
            sigmoid(a[:, :H]),
            sigmoid(a[:, H : 2 * H]),
            sigmoid(a[:, 2 * H : 3 * H]),
            np.tanh(a[:, 3 * H :]),
        )
        cs[t] = f * cs[t - 1] + i * g
        hs[t] = o * np.tanh(cs[t])
        gates[t] = i, f, o, g
    out = np.stack([hs[t] for t in range(len(xs))])
    return out, (xs, hs, cs, gates, Wx, Wh)
def lstm_backward(dout, cache):
    xs, hs, cs, gates, Wx, Wh = cache
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wx.shape[1])
    dxs = np.zeros_like(xs)
    dh, dc = np.zeros_like(hs[0]), np.zeros_like(cs[0])
    for t in reversed(range(len(xs))):
        i, f, o, g = gates[t]
        dh = dh + dout[t]
        dc = dc + dh * o * (1 - np.tanh(cs[t]) ** 2)
        da = np.hstack(
            [
                dc * g * i * (1 - i),
                dc * cs[t - 1] * f * (1 - f),
                dh * np.tanh(cs[t]) * o * (1 - o),
                dc * i * (1 - g**2),
            ]
        )
        dWx += xs[t].T @ da
        dWh += hs[t - 1].T @ da
        db += da.sum(axis=0)
        dxs[t] = da @ Wx.T
        dh = da @ Wh.T
        dc = dc * f
    return dxs, dh, dc, dWx, dWh, db
""",
    ("dWh += hs[t - 1].T @ da", "dWh += hs[t].T @ da"),
)


stranger(
    "RNN of columns that limits its gradients and steps",
    5,
    """
class RNN:
    def __init__(self, input_size, output_size, hidden_size=8):
        self.Whh = np.random.randn(hidden_size, hidden_size) / 10
        self.Wxh = np.random.randn(hidden_size, input_size) / 10
        self.Why = np.random.randn(output_size, hidden_size) / 10
        self.bh = np.zeros((hidden_size, 1))
        self.by = np.zeros((output_size, 1))
    def forward(self, inputs):
        h = np.zeros((self.Whh.shape[0], 1))
        self.last_inputs = inputs
        self.last_hs = {0: h}
        for i, x in enumerate(inputs):
            h = np.tanh(self.Wxh @ x + self.Whh @ h + self.bh)
            self.last_hs[i + 1] = h
        y = self.Why @ h + self.by
        return y, h
    def backprop(self, d_y, learn_rate=2e-2):
        n = len(self.last_inputs)
        d_Why = d_y @ self.last_hs[n].T
        d_by = d_y
        d_Whh = np.zeros(self.Whh.shape)
        d_Wxh = np.zeros(self.Wxh.shape)
        d_bh = np.zeros(self.bh.shape)
        d_h = self.Why.T @ d_y
        for t in reversed(range(n)):
            temp = (1 - self.last_hs[t + 1] ** 2) * d_h
            d_bh += temp
            d_Whh += temp @ self.last_hs[t].T
            d_Wxh += temp @ self.last_inputs[t].T
            d_h = self.Whh.T @ temp
        for d in [d_Wxh, d_Whh, d_Why, d_bh, d_by]:
            np.clip(d, -1, 1, out=d)
        self.Whh -= learn_rate * d_Whh
        self.Wxh -= learn_rate * d_Wxh
        self.Why -= learn_rate * d_Why
        self.bh -= learn_rate * d_bh
        self.by -= learn_rate * d_by
""",
    ("temp @ self.last_hs[t].T", "temp @ self.last_hs[t + 1].T"),
)


stranger(
    "characters: a loss that gives its gradients, and the states it ends in",
    5,
    """
class CharLSTM:
    def __init__(self, vocab_size, hidden_size=2):
        self.V, self.H = vocab_size, hidden_size
        r = np.random.randn
        self.Wx, self.Wh, self.b = (
            r(4 * hidden_size, vocab_size) * 0.3,
            r(4 * hidden_size, hidden_size) * 0.3,
            np.zeros((4 * hidden_size, 1)),
        )
        self.Wy, self.by = r(vocab_size, hidden_size) * 0.3, np.zeros((vocab_size, 1))
    def loss(self, inputs, targets, hprev, cprev):
        xs, hs, cs, acts, ps = {}, {}, {}, {}, {}
        hs[-1], cs[-1] = np.copy(hprev), np.copy(cprev)
        H, loss = self.H, 0
        sig = lambda a: 1 / (1 + np.exp(-a))
        for t in range(len(inputs)):
            xs[t] = np.zeros((self.V, 1))
            xs[t][inputs[t]] = 1
            a = self.Wx @ xs[t] + self.Wh @ hs[t - 1] + self.b
            i, f, o, g = sig(a[:H]), sig(a[H : 2 * H]), sig(a[2 * H : 3 * H]), np.tanh(a[3 * H :])
            cs[t] = f * cs[t - 1] + i * g
            hs[t] = o * np.tanh(cs[t])
            acts[t] = i, f, o, g
            y = self.Wy @ hs[t] + self.by
            ps[t] = np.exp(y) / np.exp(y).sum()
            loss += -np.log(ps[t][targets[t], 0])
        dWx, dWh, db, dWy, dby = map(np.zeros_like, (self.Wx, self.Wh, self.b, self.Wy, self.by))
        dhnext, dcnext = np.zeros_like(hs[0]), np.zeros_like(cs[0])
        for t in reversed(range(len(inputs))):
            dy = ps[t].copy()
            dy[targets[t]] -= 1
            dWy += dy @ hs[t].T
            dby += dy
            i, f, o, g = acts[t]
            dh = self.Wy.T @ dy + dhnext
            dc = dcnext + dh * o * (1 - np.tanh(cs[t]) ** 2)
            da = np.vstack(
                [
                    dc * g * i * (1 - i),
                    dc * cs[t - 1] * f * (1 - f),
                    dh * np.tanh(cs[t]) * o * (1 - o),
                    dc * i * (1 - g * g),
                ]
            )
            dWx += da @ xs[t].T
            dWh += da @ hs[t - 1].T
            db += da
            dhnext = self.Wh.T @ da
            dcnext = dc * f
        return (
            loss,
            {"Wx": dWx, "Wh": dWh, "b": db, "Wy": dWy, "by": dby},
            hs[len(inputs) - 1],
            cs[len(inputs) - 1],
        )
""",
    ("dby += dy", "dby = dy"),
)


stranger(
    "characters: forward and backward of the file's globals",
    5,
    """

vocab, hidden = 7, 5
U = np.random.randn(hidden, vocab) * 0.3
W = np.random.randn(hidden, hidden) * 0.3
V = np.random.randn(vocab, hidden) * 0.3
b = np.zeros((hidden, 1))
c = np.zeros((vocab, 1))
def forward(inputs, targets, h_prev):
    x, h, p = {}, {}, {}
    h[-1] = h_prev.copy()
    loss = 0.0
    for t in range(len(inputs)):
        x[t] = np.zeros((vocab, 1))
        x[t][inputs[t]] = 1
        h[t] = np.tanh(U @ x[t] + W @ h[t - 1] + b)
        o = V @ h[t] + c
        p[t] = np.exp(o) / np.exp(o).sum()
        loss -= np.log(p[t][targets[t], 0])
    return loss, (x, h, p)
def backward(targets, cache):
    x, h, p = cache
    dU, dW, dV, db, dc = (np.zeros_like(a) for a in (U, W, V, b, c))
    dh_next = np.zeros_like(h[-1])
    for t in reversed(range(len(p))):
        do = p[t].copy()
        do[targets[t]] -= 1
        dV += do @ h[t].T
        dc += do
        dz = (V.T @ do + dh_next) * (1 - h[t] ** 2)
        dU += dz @ x[t].T
        dW += dz @ h[t - 1].T
        db += dz
        dh_next = W.T @ dz
    return dU, dW, dV, db, dc
""",
    ("dW += dz @ h[t - 1].T", "dW += dz @ h[t].T"),
    ("db += dz", "db = dz"),
)


stranger(
    "GRU that gives its outputs as a dict, its loss beside them",
    11,
    """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
class GRUCellNet:
    def __init__(self, input_dim, hidden_dim, output_dim):
        s = 0.3
        self.Wz, self.Uz, self.bz = (
            np.random.randn(hidden_dim, input_dim) * s,
            np.random.randn(hidden_dim, hidden_dim) * s,
            np.zeros((hidden_dim, 1)),
        )
        self.Wr, self.Ur, self.br = (
            np.random.randn(hidden_dim, input_dim) * s,
            np.random.randn(hidden_dim, hidden_dim) * s,
            np.zeros((hidden_dim, 1)),
        )
        self.Wh, self.Uh, self.bh = (
            np.random.randn(hidden_dim, input_dim) * s,
            np.random.randn(hidden_dim, hidden_dim) * s,
            np.zeros((hidden_dim, 1)),
        )
        self.Wy, self.by = np.random.randn(output_dim, hidden_dim) * s, np.zeros((output_dim, 1))
    def forward(self, xs):
        self.xs, self.hs, self.zs, self.rs, self.cs, self.ps = xs, {-1: np.zeros_like(self.bh)}, {}, {}, {}, {}
        for t, x in enumerate(xs):
            x = x.reshape(-1, 1)
            h = self.hs[t - 1]
            self.zs[t] = sigmoid(self.Wz @ x + self.Uz @ h + self.bz)
            self.rs[t] = sigmoid(self.Wr @ x + self.Ur @ h + self.br)
            self.cs[t] = np.tanh(self.Wh @ x + self.Uh @ (self.rs[t] * h) + self.bh)
            self.hs[t] = self.zs[t] * h + (1 - self.zs[t]) * self.cs[t]
            o = self.Wy @ self.hs[t] + self.by
            self.ps[t] = np.exp(o) / np.exp(o).sum()
        return self.ps
    def loss(self, targets):
        return -sum(np.log(self.ps[t][targets[t], 0]) for t in range(len(targets)))
    def backward(self, targets):
        g = {n: np.zeros_like(v) for n, v in vars(self).items() if n[0] in "WUb"}
        dh_next = np.zeros_like(self.bh)
        for t in reversed(range(len(targets))):
            do = self.ps[t].copy()
            do[targets[t]] -= 1
            g["Wy"] += do @ self.hs[t].T
            g["by"] += do
            dh = self.Wy.T @ do + dh_next
            h, z, r, c, x = self.hs[t - 1], self.zs[t], self.rs[t], self.cs[t], self.xs[t].reshape(-1, 1)
            dc = dh * (1 - z) * (1 - c**2)
            dz = dh * (h - c) * z * (1 - z)
            drh = self.Uh.T @ dc
            dr = drh * h * r * (1 - r)
            g["Wh"] += dc @ x.T
            g["Uh"] += dc @ (r * h).T
            g["bh"] += dc
            g["Wz"] += dz @ x.T
            g["Uz"] += dz @ h.T
            g["bz"] += dz
            g["Wr"] += dr @ x.T
            g["Ur"] += dr @ h.T
            g["br"] += dr
            dh_next = dh * z + drh * r + self.Uz.T @ dz + self.Ur.T @ dr
        self.grads = g
        return g
""",
    ("dh * z + drh * r", "dh * z + drh"),
)


stranger(
    "the course's recurrent network: a second output, of which backward knows nothing",
    10,
    """
def softmax(x):
    e = np.exp(x - np.max(x, axis=0))
    return e / e.sum(axis=0)
def rnn_cell_forward(xt, a_prev, parameters):
    Wax, Waa, Wya, ba, by = (parameters[k] for k in ("Wax", "Waa", "Wya", "ba", "by"))
    a_next = np.tanh(Waa @ a_prev + Wax @ xt + ba)
    yt = softmax(Wya @ a_next + by)
    return a_next, yt, (a_next, a_prev, xt, parameters)
def rnn_cell_backward(da_next, cache):
    a_next, a_prev, xt, parameters = cache
    dz = (1 - a_next**2) * da_next
    return {
        "dxt": parameters["Wax"].T @ dz,
        "da_prev": parameters["Waa"].T @ dz,
        "dWax": dz @ xt.T,
        "dWaa": dz @ a_prev.T,
        "dba": dz.sum(axis=1, keepdims=True),
    }
def rnn_forward(x, a0, parameters):
    caches = []
    n_x, m, T_x = x.shape
    n_y, n_a = parameters["Wya"].shape
    a, y = np.zeros((n_a, m, T_x)), np.zeros((n_y, m, T_x))
    a_next = a0
    for t in range(T_x):
        a_next, yt, cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t], y[:, :, t] = a_next, yt
        caches.append(cache)
    return a, y, (caches, x)
def rnn_backward(da, caches):
    caches, x = caches
    n_a, m, T_x = da.shape
    n_x = x.shape[0]
    dx, da_prevt = np.zeros((n_x, m, T_x)), np.zeros((n_a, m))
    dWax, dWaa, dba = np.zeros((n_a, n_x)), np.zeros((n_a, n_a)), np.zeros((n_a, 1))
    for t in reversed(range(T_x)):
        g = rnn_cell_backward(da[:, :, t] + da_prevt, caches[t])
        dx[:, :, t], da_prevt = g["dxt"], g["da_prev"]
        dWax += g["dWax"]
        dWaa += g["dWaa"]
        dba += g["dba"]
    return {"dx": dx, "da0": da_prevt, "dWax": dWax, "dWaa": dWaa, "dba": dba}
""",
    ("+ da_prevt", "+ 0 * da_prevt"),
)


stranger(
    "attention of functions: masks, einsum, a causal one",
    6,
    """
def attention_forward(Q, K, V, mask):
    d = Q.shape[-1]
    s = Q @ K.transpose(0, 2, 1) / np.sqrt(d)
    s = s + (1 - mask) * -1e9
    e = np.exp(s - s.max(-1, keepdims=True))
    A = e / e.sum(-1, keepdims=True)
    return A @ V, (Q, K, V, A)
def attention_backward(dout, cache):
    Q, K, V, A = cache
    dA = dout @ V.transpose(0, 2, 1)
    dV = A.transpose(0, 2, 1) @ dout
    ds = A * (dA - (dA * A).sum(-1, keepdims=True)) / np.sqrt(Q.shape[-1])
    return ds @ K, ds.transpose(0, 2, 1) @ Q, dV
def causal_forward(q, k, v):
    T = q.shape[1]
    s = np.einsum("btd,bsd->bts", q, k) / np.sqrt(q.shape[2])
    mask = np.triu(np.ones((T, T), dtype=bool), 1)
    s[:, mask] = -np.inf
    p = np.exp(s - s.max(2, keepdims=True))
    p /= p.sum(2, keepdims=True)
    return np.einsum("bts,bsd->btd", p, v), (q, k, v, p)
def causal_backward(dy, cache):
    q, k, v, p = cache
    dv = np.einsum("bts,btd->bsd", p, dy)
    dp = np.einsum("btd,bsd->bts", dy, v)
    ds = p * (dp - (dp * p).sum(2, keepdims=True)) / np.sqrt(q.shape[2])
    return np.einsum("bts,bsd->btd", ds, k), np.einsum("bts,btd->bsd", ds, q), dv
""",
    ("/ np.sqrt(Q.shape[-1])\n    return", "/ Q.shape[-1]\n    return"),
    ("ds = p * (dp - (dp * p).sum(2, keepdims=True))", "ds = p * dp"),
)


stranger(
    "attention on a context, and one with a causal mask called bias",
    8,
    """
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
class CrossAttention:
    def __init__(self, dim):
        self.Wq, self.Wk, self.Wv = (np.random.randn(dim, dim) * 0.3 for _ in range(3))
    def forward(self, x, context):
        self.x, self.context = x, context
        self.q, self.k, self.v = x @ self.Wq, context @ self.Wk, context @ self.Wv
        self.a = softmax(np.matmul(self.q, np.swapaxes(self.k, 1, 2)) / np.sqrt(self.q.shape[-1]))
        return np.matmul(self.a, self.v)
    def backward(self, dout):
        dv = np.matmul(np.swapaxes(self.a, 1, 2), dout)
        da = np.matmul(dout, np.swapaxes(self.v, 1, 2))
        ds = self.a * (da - np.sum(da * self.a, -1, keepdims=True)) / np.sqrt(self.q.shape[-1])
        dq, dk = np.matmul(ds, self.k), np.matmul(np.swapaxes(ds, 1, 2), self.q)
        self.dWq = np.tensordot(self.x, dq, axes=((0, 1), (0, 1)))
        self.dWk = np.tensordot(self.context, dk, axes=((0, 1), (0, 1)))
        self.dWv = np.tensordot(self.context, dv, axes=((0, 1), (0, 1)))
        return dq @ self.Wq.T, dk @ self.Wk.T + dv @ self.Wv.T
class CausalSelfAttention:
    def __init__(self, n_embd, n_head, block_size):
        self.n_head = n_head
        self.c_attn, self.c_proj = (
            np.random.randn(n_embd, 3 * n_embd) * 0.3,
            np.random.randn(n_embd, n_embd) * 0.3,
        )
        self.bias = np.tril(np.ones((block_size, block_size)))[None, None]
    def forward(self, x):
        B, T, C = x.shape
        q, k, v = np.split(x @ self.c_attn, 3, axis=2)
        q, k, v = (z.reshape(B, T, self.n_head, C // self.n_head).transpose(0, 2, 1, 3) for z in (q, k, v))
        att = q @ k.transpose(0, 1, 3, 2) / np.sqrt(k.shape[-1])
        att = np.where(self.bias[:, :, :T, :T] == 0, -np.inf, att)
        att = softmax(att)
        y = (att @ v).transpose(0, 2, 1, 3).reshape(B, T, C)
        self.cache = x, q, k, v, att, y
        return y @ self.c_proj
    def backward(self, dout):
        x, q, k, v, att, y = self.cache
        B, T, C = x.shape
        self.dc_proj = y.reshape(-1, C).T @ dout.reshape(-1, C)
        dy = (dout @ self.c_proj.T).reshape(B, T, self.n_head, -1).transpose(0, 2, 1, 3)
        dv = att.transpose(0, 1, 3, 2) @ dy
        datt = dy @ v.transpose(0, 1, 3, 2)
        ds = att * (datt - (datt * att).sum(-1, keepdims=True)) / np.sqrt(k.shape[-1])
        dq, dk = ds @ k, ds.transpose(0, 1, 3, 2) @ q
        d = np.concatenate([z.transpose(0, 2, 1, 3).reshape(B, T, C) for z in (dq, dk, dv)], axis=2)
        self.dc_attn = x.reshape(-1, C).T @ d.reshape(-1, 3 * C)
        return d @ self.c_attn.T
""",
    ("dk @ self.Wk.T + dv @ self.Wv.T", "dk @ self.Wk.T"),
    (
        "[z.transpose(0, 2, 1, 3).reshape(B, T, C) for z in (dq, dk, dv)]",
        "[z.transpose(0, 2, 1, 3).reshape(B, T, C) for z in (dk, dq, dv)]",
    ),
)


stranger(
    "attention of three inputs with a mask for padding; a root mean square norm",
    5,
    """
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
class QKV:
    def __init__(self, d):
        self.scale = 1 / np.sqrt(d)
    def forward(self, query, key, value, key_padding_mask):
        s = np.einsum("bqd,bkd->bqk", query, key) * self.scale
        s = np.where(key_padding_mask[:, None, :], s, -1e30)
        self.p = softmax(s)
        self.query, self.key, self.value = query, key, value
        return np.einsum("bqk,bkd->bqd", self.p, value)
    def backward(self, grad):
        dvalue = np.einsum("bqk,bqd->bkd", self.p, grad)
        dp = np.einsum("bqd,bkd->bqk", grad, self.value)
        ds = self.p * (dp - (dp * self.p).sum(-1, keepdims=True)) * self.scale
        return np.einsum("bqk,bkd->bqd", ds, self.key), np.einsum("bqk,bqd->bkd", ds, self.query), dvalue
class RMSNorm:
    def __init__(self, dim, eps=1e-6):
        self.g, self.eps = np.ones(dim), eps
    def forward(self, x):
        self.x = x
        self.r = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + self.eps)
        return x * self.r * self.g
    def backward(self, d):
        self.dg = (d * self.x * self.r).reshape(-1, self.x.shape[-1]).sum(0)
        u = d * self.g
        return self.r * u - self.x * self.r**3 * (u * self.x).mean(-1, keepdims=True)
""",
    ('np.einsum("bqk,bkd->bqd", ds, self.key)', 'np.einsum("bqk,bkd->bqd", dp, self.key)'),
    ("self.x * self.r**3", "self.x * self.r**2"),
)


stranger(
    "attention that adds up what keys and values hand on",
    3,
    """
class Attention:
    def forward(self, x_q, x_k, x_v):
        self.x_q, self.x_k, self.x_v = x_q, x_k, x_v
        s = x_q @ x_k.swapaxes(-2, -1) / np.sqrt(x_q.shape[-1])
        e = np.exp(s - s.max(-1, keepdims=True))
        self.p = e / e.sum(-1, keepdims=True)
        return self.p @ x_v
    def backward(self, d):
        dp = d @ self.x_v.swapaxes(-2, -1)
        ds = self.p * (dp - (dp * self.p).sum(-1, keepdims=True)) / np.sqrt(self.x_q.shape[-1])
        self.grad_q, self.grad_k = ds @ self.x_k, ds.swapaxes(-2, -1) @ self.x_q
        self.grad_v = self.p.swapaxes(-2, -1) @ d
        return self.grad_q, self.grad_k + self.grad_v
""",
    ("return self.grad_q, self.grad_k + self.grad_v", "return self.grad_q, self.grad_k"),
)
