"""JAX compiles a program once: for sessions alike, for the next process where the user keeps it, never for another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L2,
    SGD,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    Layer,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    StepDecay,
    Tanh,
    register,
)

jax = pytest.importorskip("jax")
from chainrule.engines import jaxprogram  # noqa: E402
from chainrule.engines.contract import Task  # noqa: E402

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 4)).astype(np.float32), RNG.integers(0, 3, 40)
_compiled: list[float] = []


def _listen(event: str, seconds: float, **options: Any) -> None:
    if event.endswith("backend_compile_duration"):
        _compiled.append(seconds)


jax.monitoring.register_event_duration_secs_listener(_listen)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    jaxprogram._kept.clear()
    yield
    jaxprogram._kept.clear()


def compilations(train: Callable[[], object]) -> int:
    """How many programs XLA compiles in the meantime."""
    before = len(_compiled)
    train()
    return len(_compiled) - before


def network(rate: float = 0.3) -> list[Layer]:
    return [Dense(4, 5), ReLU(), Dropout(rate), Dense(5, 3)]


def made(
    layers: list[Layer] | Sequential | None = None,
    *,
    seed: int = 0,
    optimizer: Any = None,
    loss: Any = None,
    dtype: str = "float32",
) -> Model:
    return Model(layers or network(), loss or SoftmaxCrossentropy(), optimizer or Adam(1e-3), seed=seed, dtype=dtype)


def fit(model: Model | None = None, epochs: int = 1, batch_size: int = 40) -> Model:
    model = made() if model is None else model
    model.fit(X, Y, epochs=epochs, batch_size=batch_size, engine="jax", verbose=False)
    return model


def key(samples: int = 40, weights: Any = None, batch_size: int = 16, **settings: Any) -> Any:
    model = made(**settings)
    y = Y if model.loss.metric == "accuracy" else np.eye(3)[Y]
    x = X[:samples].astype(model.dtype)
    task = Task.of(model.network, model.loss, model.optimizer, model.run.seed, x, y[:samples], weights, batch_size)
    return jaxprogram._key(task)


def test_a_second_fit_of_the_same_shapes_compiles_nothing() -> None:
    assert compilations(lambda: fit(batch_size=16, epochs=10)) > 0
    other = made(seed=7, optimizer=Adam(StepDecay(0.1, every=2)))
    assert compilations(lambda: fit(other, batch_size=16, epochs=200)) == 0  # in blocks of other lengths


@pytest.mark.parametrize(
    "changed",
    [{"seed": 7}, {"optimizer": Adam(StepDecay(0.1, every=2))}, {"layers": network()}, {"batch_size": 8}],
    ids=["seed", "rate", "layers alike", "size of a batch"],
)
def test_seeds_and_rates_are_no_part_of_a_program(changed: dict[str, Any]) -> None:
    assert key() is not None
    assert key(**changed) == key()


def test_the_rate_of_a_group_is_no_part_of_a_program_but_its_other_settings_are() -> None:
    keys = [
        key(optimizer=Adam(1e-3, groups={"*.biases": {"learning_rate": rate, "weight_decay": decay}}))
        for rate, decay in ((0.1, 0.0), (0.2, 0.0), (0.1, 0.5))
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": network(0.4)},
        {"layers": [Dense(4, 5), Tanh(), Dropout(0.3), Dense(5, 3)]},
        {"layers": [Dense(4, 5).freeze(), ReLU(), Dropout(0.3), Dense(5, 3)]},
        {"layers": [Dense(4, 5, penalties={"weights": L2(0.1)}), ReLU(), Dropout(0.3), Dense(5, 3)]},
        {"loss": SoftmaxCrossentropy(label_smoothing=0.1)},
        {"loss": MeanSquaredError()},
        {"optimizer": SGD(1e-3)},
        {"optimizer": Adam(1e-3, beta_1=0.8)},
        {"optimizer": Adam(1e-3, clip_norm=1e-3)},
        {"dtype": "float64"},
        {"samples": 32},
        {"weights": RNG.uniform(1, 2, 40)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_a_program_depends_on_is_part_of_it(changed: dict[str, Any]) -> None:
    assert key(**changed) not in (None, key())


def test_a_setting_changed_between_two_fits_is_met_by_the_second() -> None:
    model, unchanged = made(), made()
    for each in (model, unchanged):
        fit(each)
    model.network["dropout_0"].rate = 0.9
    assert compilations(lambda: fit(model)) > 0
    assert compilations(lambda: fit(unchanged)) == 0
    assert (model.parameters["dense_1.weights"] != unchanged.parameters["dense_1.weights"]).any()


def test_seeds_reach_the_noise() -> None:
    one, same, other = (made() for _ in range(3))
    other.run.seed = 1  # the first parameters are those of the others
    for model in (one, same, other):
        fit(model)
    np.testing.assert_array_equal(one.parameters["dense_1.weights"], same.parameters["dense_1.weights"])
    assert (one.parameters["dense_1.weights"] != other.parameters["dense_1.weights"]).any()


class Scaled(Layer):
    """Reads a number that Python lets it read: of its class, of this module."""

    factor = 2.0

    def pure_forward(self, xp, inputs):  # type: ignore[no-untyped-def]
        return self.factor * TABLE[0] * inputs

    def pure_backward(self, xp, dvalues):  # type: ignore[no-untyped-def]
        return dict(dinputs=self.factor * TABLE[0] * dvalues)


TABLE = np.ones(1, np.float32)


def of_ones_own(seed: int = 0) -> Model:
    return made([Dense(4, 5), Scaled(), ReLU(), Dense(5, 3)], seed=seed)


def test_a_class_of_ones_own_is_compiled_once_too() -> None:
    assert compilations(lambda: fit(of_ones_own())) > 0
    assert compilations(lambda: fit(of_ones_own(seed=3))) == 0


@pytest.mark.parametrize("where", ["class", "module", "instance"])
def test_what_a_class_of_ones_own_reads_is_read_again(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fit(of_ones_own())
    second, reference = of_ones_own(), of_ones_own()
    if where == "class":
        monkeypatch.setattr(Scaled, "factor", 3.0)
    elif where == "module":
        monkeypatch.setitem(globals(), "TABLE", np.array([1.5], np.float32))
    else:
        second.network["scaled_0"].factor = reference.network["scaled_0"].factor = 3.0
    fit(second)
    reference.fit(X, Y, epochs=1, batch_size=40, engine="numpy", verbose=False)
    losses = [model.history.records[0]["loss"] for model in (first, second, reference)]
    assert abs(losses[0] - losses[1]) > 1e-3
    assert losses[1] == pytest.approx(losses[2], rel=1e-5)


def test_a_registered_class_is_known_by_what_it_computes_and_not_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule import registry

    def times(factor: float) -> Layer:
        monkeypatch.delitem(registry._CLASSES, "Times", raising=False)

        class Times(Layer):
            def pure_forward(self, xp, inputs):  # type: ignore[no-untyped-def]
                return factor * inputs

            def pure_backward(self, xp, dvalues):  # type: ignore[no-untyped-def]
                return dict(dinputs=factor * dvalues)

        return register(Times)()

    one, two = (fit(made([Dense(4, 5), times(factor), Dense(5, 3)])) for factor in (1.0, 4.0))
    assert abs(one.history.records[0]["loss"] - two.history.records[0]["loss"]) > 1e-3


class Doubled(Sequential):
    """A graph that is not what its description says."""

    def forward_pass(self, xp: Any, inputs: Any, values: Any, context: Any) -> Any:
        output, kept, state = super().forward_pass(xp, inputs, values, context)
        return 2 * output, kept, state


def test_a_graph_of_ones_own_is_not_taken_for_the_librarys() -> None:
    one, two = fit(made(Sequential(*network()))), fit(made(Doubled(*network())))
    assert one.history.records[0]["loss"] != two.history.records[0]["loss"]


def test_no_more_programs_are_kept_than_the_bound_and_no_network_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import gc
    import weakref

    monkeypatch.setattr(jaxprogram, "_PROGRAMS", 2)
    gone = []
    for width in (3, 4, 5):
        layer = Dense(4, width)
        gone.append(weakref.ref(layer))
        fit(made([layer, BatchNorm(width), Dense(width, 3)]))
        del layer
    assert len(jaxprogram._kept) == 2
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_two_threads_that_train_alike_get_the_numbers_of_one() -> None:
    expected = fit(epochs=3).parameters
    jaxprogram._kept.clear()
    found: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: found.append(fit(epochs=3).parameters)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for parameters in found:
        np.testing.assert_array_equal(parameters["dense_0.weights"], expected["dense_0.weights"])
    assert len(found) == 2


_PROCESS = """
import json, sys
import jax
import numpy as np
found = []
jax.monitoring.register_event_listener(lambda event, **options: found.append(event.rpartition("/")[2]))
from chainrule import Adam, Dense, Model, ReLU, SoftmaxCrossentropy
X, y = np.ones((40, 4), np.float32), np.zeros(40, int)
Model([Dense(4, 5), ReLU(), Dense(5, 3)], SoftmaxCrossentropy(), Adam(1e-3), seed=0).fit(
    X, y, epochs=1, batch_size=40, engine="jax", verbose=False)
print(json.dumps([found.count("cache_hits"), found.count("cache_misses"), jax.config.jax_enable_x64]))
"""


def test_the_next_process_is_served_by_the_cache_that_the_user_configured(tmp_path: Path) -> None:
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    counts = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", _PROCESS], env=os.environ | settings, capture_output=True,
                              text=True, check=True, timeout=300)  # fmt: skip
        counts.append(json.loads(done.stdout.splitlines()[-1]))
    (_, missed, double), (hit, missed_again, _) = counts
    assert missed > 0 and (hit, missed_again) == (missed, 0) and double is False
