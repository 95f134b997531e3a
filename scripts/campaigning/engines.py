"""Random networks trained by our engines and by PyTorch, whose modules, losses and optimizers are put together here."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

import chainrule as cr

F = Any


class Piece(NamedTuple):
    """A layer of ours and the function that does the same with PyTorch's, given its tensors by our names."""

    ours: cr.Layer
    theirs: Callable[[F, Any, dict[str, Any]], Any]


def piece(rng: np.random.Generator, width: int) -> tuple[Piece, int]:
    """A random layer for so many features, and the number of features it gives."""
    kind = str(rng.choice(["dense", "dense", "dense", "batch", "layer", *ENTRYWISE]))
    if kind == "dense":
        size, bias = int(rng.integers(1, 24)), bool(rng.random() < 0.8)
        return Piece(cr.Dense(width, size, bias=bias), linear), size
    if kind == "batch":
        momentum = float(rng.choice([0.9, 0.5]))
        return Piece(cr.BatchNorm(width, momentum=momentum), batch_norm(1 - momentum)), width
    if kind == "layer":
        return Piece(cr.LayerNorm(width), lambda F, x, p: F.layer_norm(x, (width,), p["gamma"][0], p["beta"][0])), width
    make, function = ENTRYWISE[kind]
    return Piece(make(), lambda F, x, p: function(F, x)), width


def linear(F: F, x: Any, p: dict[str, Any]) -> Any:
    """A dense layer."""
    return F.linear(x, p["weights"].T, p["biases"][0] if "biases" in p else None)


def batch_norm(momentum: float) -> Callable[[F, Any, dict[str, Any]], Any]:
    """Batch normalization in training."""

    def run(F: F, x: Any, p: dict[str, Any]) -> Any:
        mean, variance = p["running_mean"][0], p["running_variance"][0]
        return F.batch_norm(x, mean, variance, p["gamma"][0], p["beta"][0], True, momentum, 1e-5)

    return run


ENTRYWISE: dict[str, Any] = {
    "relu": (cr.ReLU, lambda F, x: F.relu(x)),
    "leaky": (lambda: cr.LeakyReLU(0.1), lambda F, x: F.leaky_relu(x, 0.1)),
    "elu": (cr.ELU, lambda F, x: F.elu(x)),
    "gelu": (cr.GELU, lambda F, x: F.gelu(x)),
    "gelu_tanh": (lambda: cr.GELU(approximate=True), lambda F, x: F.gelu(x, approximate="tanh")),
    "silu": (cr.SiLU, lambda F, x: F.silu(x)),
    "softplus": (cr.Softplus, lambda F, x: F.softplus(x, threshold=1e9)),
    "sigmoid": (cr.Sigmoid, lambda F, x: F.sigmoid(x)),
    "tanh": (cr.Tanh, lambda F, x: F.tanh(x)),
}
LOSSES: dict[str, Any] = {  # ours, and one loss for each sample from PyTorch
    "softmax": (cr.SoftmaxCrossentropy(), lambda F, z, y: F.cross_entropy(z, y, reduction="none")),
    "smoothed": (
        cr.SoftmaxCrossentropy(label_smoothing=0.1),
        lambda F, z, y: F.cross_entropy(z, y, reduction="none", label_smoothing=0.1),
    ),
    "sigmoid": (
        cr.SigmoidCrossentropy(),
        lambda F, z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1),
    ),
    "squared": (cr.MeanSquaredError(), lambda F, z, y: F.mse_loss(z, y, reduction="none").mean(1)),
    "absolute": (cr.MeanAbsoluteError(), lambda F, z, y: F.l1_loss(z, y, reduction="none").mean(1)),
    "huber": (cr.Huber(delta=0.5), lambda F, z, y: F.huber_loss(z, y, reduction="none", delta=0.5).mean(1)),
}
OPTIMIZERS: list[tuple[Callable[..., cr.Optimizer], str, dict[str, Any]]] = [  # ours, PyTorch's, its settings
    (cr.SGD, "SGD", {}),
    (lambda rate: cr.SGD(rate, momentum=0.9), "SGD", {"momentum": 0.9}),
    (lambda rate: cr.SGD(rate, momentum=0.8, nesterov=True), "SGD", {"momentum": 0.8, "nesterov": True}),
    (lambda rate: cr.SGD(rate, weight_decay=0.1), "SGD", {"weight_decay": 0.1}),
    (cr.Adagrad, "Adagrad", {}),
    (cr.RMSprop, "RMSprop", {}),
    (cr.Adam, "Adam", {}),
    (lambda rate, **more: cr.Adam(rate, weight_decay=0.05, **more), "Adam", {"weight_decay": 0.05}),
    (lambda rate, **more: cr.AdamW(rate, weight_decay=0.1, **more), "AdamW", {"weight_decay": 0.1}),
]
EPSILON = 0.1  # what is added to the size of a gradient before an optimizer divides by it: much, see `Drawn.damped`


class Drawn(NamedTuple):
    """A run, for both."""

    pieces: list[Piece]
    loss: str
    optimizer: int
    rate: float
    dtype: str
    clip: float | None
    batch: int
    epochs: int
    X: Any
    y: Any
    weights: Any

    def model(self) -> cr.Model:
        """Ours, before the first step."""
        ours = OPTIMIZERS[self.optimizer][0](self.rate, **self.damped("epsilon"))
        ours = ours if self.clip is None else replace(ours, clip_norm=self.clip)
        model = cr.Model([deepcopy(piece.ours) for piece in self.pieces], LOSSES[self.loss][0], ours, dtype=self.dtype)
        rng = np.random.default_rng(0)  # with biases of 0 outputs lie on the kink of a ReLU, on either side by rounding
        for name, value in model.parameters.items():
            if name.endswith((".biases", ".beta")):
                model.parameters[name] = 0.1 * rng.normal(size=value.shape)
        return model

    def damped(self, name: str) -> dict[str, float]:
        """`EPSILON` by the name that an optimizer has for it, if it divides by the size of a gradient.

        With a little of it the rounding of a gradient that is nearly 0 (of a bias before a normalization, of errors
        whose signs cancel) becomes a whole step: networks that PyTorch trains in float32 and in float64 then differ by
        a tenth.
        """
        return {} if OPTIMIZERS[self.optimizer][1] == "SGD" else {name: EPSILON}


def drawn(rng: np.random.Generator) -> Drawn:
    """A random run. Batches have two samples or more, because PyTorch refuses to normalize over one."""
    inputs = width = int(rng.integers(1, 20))
    pieces = []
    for _ in range(int(rng.integers(1, 7))):
        one, width = piece(rng, width)
        pieces.append(one)
    loss = str(rng.choice(sorted(LOSSES)))
    outputs = int(rng.integers(2, 6)) if loss in ("softmax", "smoothed") else int(rng.integers(1, 4))
    pieces.append(Piece(cr.Dense(width, outputs), linear))
    batch, batches = int(rng.integers(8, 40)), int(rng.integers(1, 4))
    rest = int(rng.choice([0, rng.integers(2, batch)]))
    samples = batch * batches + rest
    X = rng.normal(size=(samples, inputs))
    y: Any = rng.normal(size=(samples, outputs))
    if loss in ("softmax", "smoothed"):
        y = rng.integers(0, outputs, samples)
    elif loss == "sigmoid":
        y = rng.integers(0, 2, (samples, outputs)).astype(float)
    weights = rng.uniform(0.2, 3.0, samples) if rng.random() < 0.3 else None
    return Drawn(
        pieces, loss, int(rng.integers(len(OPTIMIZERS))), float(rng.choice([1e-3, 1e-2])),
        str(rng.choice(["float32", "float64"])), float(rng.choice([0.1, 1.0])) if rng.random() < 0.2 else None,
        batch, int(rng.integers(1, 4)), X, y, weights,
    )  # fmt: skip


def by_torch(run: Drawn, values: dict[str, Any]) -> dict[str, Any]:
    """The parameters and the state after the run, by PyTorch in the run's dtype."""
    import torch
    import torch.nn.functional as F

    kind = getattr(torch, run.dtype)
    tensors = {name: torch.tensor(np.array(value), dtype=kind) for name, value in values.items()}
    trained = [tensor.requires_grad_() for name, tensor in tensors.items() if ".running" not in name]
    _, name, settings = OPTIMIZERS[run.optimizer]
    optimizer = getattr(torch.optim, name)(trained, lr=run.rate, **settings, **run.damped("eps"))
    X = torch.tensor(run.X, dtype=kind)
    y = torch.tensor(run.y) if run.y.ndim == 1 else torch.tensor(run.y, dtype=kind)
    weights = torch.ones(len(X), dtype=kind) if run.weights is None else torch.tensor(run.weights, dtype=kind)
    nodes = list(run.model().network.flat)
    for start in list(range(0, len(X), run.batch)) * run.epochs:
        rows = slice(start, start + run.batch)
        z = X[rows]
        for piece, node in zip(run.pieces, nodes, strict=True):
            own = {n.rpartition(".")[2]: t for n, t in tensors.items() if n.rpartition(".")[0] == node.name}
            z = piece.theirs(F, z, own)
        losses = LOSSES[run.loss][1](F, z, y[rows])
        optimizer.zero_grad()
        ((losses * weights[rows]).sum() / weights[rows].sum()).backward()
        if run.clip is not None:
            torch.nn.utils.clip_grad_norm_(trained, run.clip)
        optimizer.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def case(rng: np.random.Generator) -> str:
    """One run by an engine and by PyTorch: parameters in float64, in float32 what the network makes of the data.

    A run in float32 may differ from PyTorch's by ten times what PyTorch's own differs from the same in float64.
    """
    run = drawn(rng)
    engine = str(rng.choice(["numpy", "fused"]))
    if find_spec("jax") is not None and rng.random() < 0.03:
        engine = "jax"
    model = run.model()
    first = {name: np.array(value) for name, value in model.run.values.items()}
    theirs = by_torch(run, first)
    options: dict[str, Any] = dict(batch_size=run.batch, shuffle=False, sample_weights=run.weights, verbose=False)
    try:
        model.fit(run.X, run.y, epochs=run.epochs, engine=engine, **options)
    except cr.errors.NonFiniteError:
        assert not all(np.isfinite(value).all() for value in theirs.values()), f"{engine}: PyTorch's run is finite"
        return f"{engine} {run.dtype}, diverged"
    if run.dtype == "float64":
        for name, value in model.run.values.items():
            scale = max(1.0, float(np.abs(theirs[name]).max()))
            np.testing.assert_allclose(value, theirs[name], rtol=2e-5, atol=2e-6 * scale, err_msg=f"{engine} {name}")
        return f"{engine} float64"
    expected, exact = seen(run, theirs), seen(run, by_torch(run._replace(dtype="float64"), first))
    scale = max(1.0, float(np.abs(expected).max()))
    most = 0.03 if run.loss == "absolute" else 1e-3  # one rounding may turn an error's sign round, its derivative
    most = max(most * scale, 10 * float(np.abs(expected - exact).max()))
    np.testing.assert_allclose(seen(run, model.run.values), expected, rtol=0, atol=most, err_msg=engine)
    return f"{engine} float32, predictions"


def seen(run: Drawn, values: dict[str, Any]) -> Any:
    """What the network makes of the data with these parameters, in the run's dtype."""
    model = run.model()
    model.run.values = {name: np.ascontiguousarray(value, run.dtype) for name, value in values.items()}
    return model.trace(run.X, run.y, training=True).predictions
