"""Fits side by side: in threads, in a process that forks, under joblib. Each must give the bits that it gives alone."""

from __future__ import annotations

import multiprocessing
import os
import threading
from importlib.util import find_spec
from typing import Any

import numpy as np

from chainrule import Adam, BatchNorm, Dense, Dropout, Model, ReLU, SoftmaxCrossentropy

RUNS = 4


def fit(seed: int, engine: str, width: int) -> dict[str, Any]:
    """A short run: its parameters, and what it predicts."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(200, 8)), rng.integers(0, 3, 200)
    layers = [Dense(8, width), BatchNorm(width), ReLU(), Dropout(0.2), Dense(width, 3)]
    model = Model(layers, SoftmaxCrossentropy(), Adam(1e-2), seed=seed)
    model.fit(X, y, epochs=5, batch_size=32, verbose=False, engine=engine)
    return {name: np.array(value) for name, value in model.run.values.items()} | {"p": model.predict_proba(X)}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """That two runs hold the same bits. Raises AssertionError."""
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def threads(runs: list[Any], expected: list[Any]) -> None:
    """All at once in threads of this process."""
    found: list[Any] = [None] * len(runs)

    def one(i: int) -> None:
        found[i] = fit(*runs[i])

    started = [threading.Thread(target=one, args=(i,)) for i in range(len(runs))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    for one_found, one_expected in zip(found, expected, strict=True):
        same(one_found, one_expected)


def one_model(runs: list[Any], expected: list[Any]) -> None:
    """One model that many threads ask at once."""
    rng = np.random.default_rng(runs[0][0])
    X = rng.normal(size=(300, 8))
    model = Model([Dense(8, 16), ReLU(), Dense(16, 3)], SoftmaxCrossentropy())
    answer, wrong = model.predict_proba(X), []
    predict = model.predictor()
    few = predict(X[:3])

    def ask() -> None:
        for _ in range(20):
            if not (model.predict_proba(X) == answer).all() or not (predict(X[:3]) == few).all():
                wrong.append(1)

    started = [threading.Thread(target=ask) for _ in runs]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert not wrong, f"{len(wrong)} wrong answers"


def forked(runs: list[Any], expected: list[Any]) -> None:
    """In children of a process that has trained before, one of them while it trains."""
    context = multiprocessing.get_context("fork")
    thread = threading.Thread(target=fit, args=runs[0])
    thread.start()
    pipes = []
    for run in runs:
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_send, args=(theirs, run))
        process.start()
        theirs.close()
        pipes.append((mine, process))
    thread.join()
    for (pipe, process), one in zip(pipes, expected, strict=True):
        if not pipe.poll(60):
            process.kill()
            raise AssertionError("a forked process hangs")
        same(pipe.recv(), one)
        process.join()
        assert process.exitcode == 0, process.exitcode


def _send(pipe: Any, run: Any) -> None:
    pipe.send(fit(*run))


def by_joblib(runs: list[Any], expected: list[Any]) -> None:
    """Two workers of joblib, processes or threads."""
    from joblib import Parallel, delayed

    for backend in ("loky", "threading"):
        found = Parallel(n_jobs=2, backend=backend)(delayed(fit)(*run) for run in runs)
        for one_found, one_expected in zip(found, expected, strict=True):
            same(one_found, one_expected)


def case(rng: np.random.Generator) -> str:
    """Some runs, alone and side by side in a random way."""
    engine, width = str(rng.choice(["numpy", "fused"])), int(rng.integers(4, 64))
    runs = [(int(rng.integers(2**31)), engine, width) for _ in range(RUNS)]
    ways = {"threads": threads, "one model": one_model, "fork": forked}
    if find_spec("joblib") is not None:
        ways["joblib"] = by_joblib
        os.environ["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    way = str(rng.choice(sorted(ways)))
    ways[way](runs, [fit(*run) for run in runs])
    return f"{way} {engine}"
