"""Trains small networks on every rank and prints, from rank 0, what came out: the same text for any number of ranks."""

from __future__ import annotations

import sys
import zlib
from typing import Any

import numpy as np

from chainrule import (
    L2,
    SGD,
    Adam,
    Add,
    BatchNorm,
    Callback,
    Dense,
    Dropout,
    EarlyStopping,
    Graph,
    MeanSquaredError,
    Model,
    ReduceLROnPlateau,
    ReLU,
    SoftmaxCrossentropy,
    Tanh,
)
from chainrule.distributed import working


class Meddling(Callback):
    """Counts its calls, freezes a layer and changes the rate on the way: others must follow."""

    calls = 0

    def epoch(self, fit: Any) -> None:
        self.calls += 1
        fit.record["seen"] = float(self.calls)
        if self.calls == 2:
            fit.run.rate_scale = 0.5
            fit.run.network["dense_0"].freeze()


def data(classes: int, dtype: str) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(101, 6)).astype(dtype)
    return X, (rng.integers(0, classes, 101) if classes else X[:, :2] ** 2)


def outcome(name: str, model: Model, history: Any) -> str:
    """Everything that a run leaves behind, in a line; of arrays a checksum."""
    arrays = sorted((model.run.values | model.run.slots).items())
    checksum = zlib.crc32(b"".join(np.ascontiguousarray(array).tobytes() for _, array in arrays))
    records = [{key: number for key, number in record.items() if key != "seconds"} for record in history.records]
    return f"{name} {model.dtype} {checksum:08x} {history.stopped} {records}"


def runs(dtype: str) -> Any:
    """What is trained: names, new models, data, options of `fit`."""
    X, y = data(3, dtype)
    loss = SoftmaxCrossentropy()
    body = [Dense(6, 9), BatchNorm(9), ReLU(), Dropout(0.3), Dense(9, 3)]
    common = dict(epochs=4, batch_size=24, distributed=True, verbose=False)
    yield "plain", Model([Dense(6, 8), Tanh(), Dense(8, 3)], loss, SGD(0.1), dtype=dtype), (X, y), common
    yield (
        "mixed",
        Model(body, loss, Adam(0.01, clip_norm=1.0), dtype=dtype),
        (X, y),
        common
        | dict(
            class_weights="balanced", validation_split=0.2, callbacks=[EarlyStopping(patience=1), Meddling()], epochs=6
        ),
    )
    graph = Graph(
        [
            ("hidden", Dense(6, 6), "inputs"),
            ("norm", BatchNorm(6), "hidden"),
            ("sum", Add(), ("norm", "inputs")),
            ("again", Dense(6, 6), "sum"),
            ("out", Dense(6, 2), "again"),
        ],
        ties={"again.weights": "hidden.weights"},
    )
    graph["hidden"].penalties = {"weights": L2(0.01)}
    yield (
        "graph",
        Model(graph, MeanSquaredError(), Adam(0.01), dtype=dtype),
        data(0, dtype),
        common
        | dict(
            sample_weights=np.linspace(0.5, 2, 101), callbacks=[ReduceLROnPlateau("loss", patience=1)], record_every=2
        ),
    )


def main() -> None:
    with working(True) as team:
        for dtype in sys.argv[1:]:
            for name, model, (X, y), options in runs(dtype):
                found = outcome(name, model, model.fit(X, y, **options))
                everyone = [found] if team.comm is None else team.comm.allgather(found)
                if team.leads:
                    print(found if len(set(everyone)) == 1 else f"ranks differ: {everyone}", flush=True)


if __name__ == "__main__":
    main()
