"""Data that are not handed over as one array in memory: rows converted as they are read, and batches one by one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Dense,
    Dropout,
    History,
    MeanSquaredError,
    Model,
    ReLU,
    SoftmaxCrossentropy,
    rows,
)
from chainrule.errors import ChainruleError, ConfigurationError, DataError, NonFiniteError, ShapeError
from chainrule.training import window
from chainrule.training.callback import Fit

ENGINES = ["numpy", "fused"]
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 255, (333, 12)).astype(np.uint8)
CLASSES, WEIGHTS = RNG.integers(0, 3, 333), RNG.random(333)
BATCHES = [(BYTES[i : i + 32], CLASSES[i : i + 32]) for i in range(0, 333, 32)]
WEIGHED = [(X, y, WEIGHTS[i * 32 : (i + 1) * 32]) for i, (X, y) in enumerate(BATCHES)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every array counts as large, and windows hold a few steps."""
    monkeypatch.setattr(rows, "_LARGE", 0)
    monkeypatch.setattr(window, "_WINDOW_BYTES", 4000)
    yield


def fitted(X: Any, y: Any = None, *, dtype: str = "float32", **options: Any) -> tuple[Model, History]:
    layers = [Dense(12, 8), BatchNorm(8), ReLU(), Dropout(0.1), Dense(8, 3)]
    model = Model(layers, SoftmaxCrossentropy(), Adam(1e-3), dtype=dtype)
    return model, model.fit(X, y, **{"epochs": 2, "verbose": False, "engine": "numpy", **options})


def assert_same(one: tuple[Model, History], other: tuple[Model, History]) -> None:
    for name, array in one[0].run.values.items():
        np.testing.assert_array_equal(array, other[0].run.values[name], err_msg=name)
    for first, second in zip(one[1].records, other[1].records, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


LAID: dict[str, Callable[[Path], Any]] = {
    "uint8": lambda path: BYTES,
    "float64": lambda path: BYTES.astype(np.float64),
    "columns first": lambda path: np.asfortranarray(BYTES.astype(np.float32)),
    "memory-mapped": lambda path: _mapped(path, BYTES),
    "memory-mapped float32": lambda path: _mapped(path, BYTES.astype(np.float32)),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"shuffle": False, "batch_size": 500},
    {"sample_weights": WEIGHTS, "validation_split": 0.2},
    {"class_weights": "balanced", "validation_data": (BYTES, CLASSES, WEIGHTS)},
]


def _mapped(path: Path, X: Any) -> Any:
    np.save(path / "X.npy", X)
    return np.load(path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "plain")
def test_rows_converted_as_they_are_read_give_the_same_bits(
    engine: str, options: dict[str, Any], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fitted(BYTES, CLASSES, engine=engine, **options)
    monkeypatch.undo()
    assert_same(one, fitted(BYTES.astype(np.float32), CLASSES, engine=engine, **options))


@pytest.mark.parametrize("laid", LAID)
def test_however_an_array_lies(laid: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = LAID[laid](tmp_path)
    one = fitted(X, CLASSES, engine="fused")
    found = one[0].evaluate(X, CLASSES), one[0].predict(X)
    monkeypatch.undo()
    assert_same(one, fitted(BYTES.astype(np.float32), CLASSES, engine="fused"))
    assert found[0] == one[0].evaluate(BYTES, CLASSES)
    np.testing.assert_array_equal(found[1], one[0].predict(BYTES))


@pytest.mark.parametrize("engine", ["numpy", "fused"])
def test_no_converted_copy_of_a_large_array_is_made(engine: str) -> None:
    """10 MB of uint8 are 80 MB in float64; half of that in float32 would be 40."""
    X, y = np.zeros((100_000, 100), np.uint8), np.zeros(100_000, int)
    model = Model([Dense(100, 2)], SoftmaxCrossentropy(), SGD(0.1))
    tracemalloc.start()
    model.fit(X, y, epochs=1, batch_size=5000, verbose=False, engine=engine, validation_split=0.1)
    model.evaluate(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 28e6  # 16 of them are the window


def test_a_number_that_is_not_finite_is_found_wherever_it_lies(small: None) -> None:
    X = BYTES.astype(np.float64)
    X[300, 7] = np.nan
    with pytest.raises(NonFiniteError, match=r"X holds nan at index \(300, 7\)"):
        fitted(X, CLASSES)
    X[300, 7] = 1e300
    with pytest.raises(NonFiniteError, match="which is inf in float32; scale it"):
        fitted(X, CLASSES)


def test_a_callback_that_changes_loss_and_optimizer_reaches_every_way_of_reading(small: None) -> None:
    class Change(Callback):
        def epoch(self, fit: Fit) -> None:
            fit.run.optimizer = Adam(0.01)
            fit.run.loss = SoftmaxCrossentropy(label_smoothing=0.1)

    ways = [(BYTES, CLASSES), (BATCHES, None)]
    one, other = (fitted(*way, shuffle=False, callbacks=[Change()], engine="fused") for way in ways)
    assert_same(one, other)
    assert one[1]["learning_rate"] == [0.001, 0.01]


@pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
def test_jax_reads_rows_and_batches(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = dict(epochs=2, shuffle=False, verbose=False, engine="jax")
    models = [Model([Dense(12, 3)], SoftmaxCrossentropy(), SGD(1e-4)) for _ in range(3)]
    found = [models[0].fit(BYTES, CLASSES, **options), models[1].fit(BATCHES, **options)]
    monkeypatch.undo()
    whole = models[2], models[2].fit(BYTES, CLASSES, **options)
    for model, history in zip(models, found, strict=False):
        assert_same((model, history), whole)


WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "a list": lambda: {"X": BATCHES},
    "a function": lambda: {"X": lambda: iter(BATCHES)},
    "a function of the epoch": lambda: {"X": lambda epoch: iter(BATCHES[epoch * 0 :])},
    "an iterator": lambda: {"X": iter(BATCHES * 2), "steps_per_epoch": len(BATCHES)},
    "an endless generator": lambda: {"X": _endless(), "steps_per_epoch": len(BATCHES)},
    "lists of lists": lambda: {"X": (lambda: ([X.tolist(), y.tolist()] for X, y in BATCHES))},
}


def _endless() -> Iterator[Any]:
    while True:
        yield from BATCHES


@pytest.mark.parametrize("way", WAYS)
def test_batches_give_the_bits_of_the_arrays_that_they_are_cut_from(way: str) -> None:
    assert_same(fitted(BYTES, CLASSES, shuffle=False), fitted(**WAYS[way]()))


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_on_every_engine_with_weights_and_batches_to_validate_on(engine: str) -> None:
    held = BYTES, CLASSES, WEIGHTS
    weights: dict[str, Any] = {"class_weights": {0: 1.0, 1: 2.0, 2: 0.5}, "engine": engine}
    whole = fitted(BYTES, CLASSES, shuffle=False, sample_weights=WEIGHTS, validation_data=held, **weights)
    assert_same(whole, fitted(WEIGHED, validation_data=WEIGHED, **weights))
    assert whole[0].evaluate(WEIGHED) == whole[0].evaluate(BYTES, CLASSES, sample_weights=WEIGHTS)


@pytest.mark.parametrize("engine", ["numpy", "fused"])
def test_batches_of_different_sizes_are_steps_in_their_order(engine: str, small: None) -> None:
    """An epoch of them is what as many calls of fit with one batch each do."""
    sizes = [BATCHES[1], BATCHES[-1], (BYTES[:50], CLASSES[:50]), BATCHES[3], (BYTES[:2], CLASSES[:2])]
    one, other = (
        Model([Dense(12, 8), BatchNorm(8), ReLU(), Dense(8, 3)], SoftmaxCrossentropy(), Adam(1e-3)) for _ in range(2)
    )
    for X, y in sizes:
        other.fit(X, y, epochs=1, batch_size=50, verbose=False, engine=engine)
    history = one.fit(sizes, epochs=1, verbose=False, engine=engine)
    assert one.run.step == 5 and history["epoch"] == [1]
    for name, array in other.parameters.items():
        np.testing.assert_allclose(one.parameters[name], array, rtol=1e-6, atol=1e-7, err_msg=name)


def test_targets_of_another_dtype_in_a_later_batch_are_not_cut() -> None:
    X = RNG.normal(size=(4, 2))
    sizes = [(X, np.array([1, 2, 3, 4])), (X, np.array([0.25, 0.5, 0.75, 1.0]))]
    one, other = (Model([Dense(2, 1)], MeanSquaredError(), SGD(0.1), dtype="float64") for _ in range(2))
    one.fit(sizes, epochs=1, verbose=False)
    other.fit([(X, y.astype(float)) for X, y in sizes], epochs=1, verbose=False)
    np.testing.assert_array_equal(one.parameters["dense_0.weights"], other.parameters["dense_0.weights"])


def test_an_iterator_that_ends_too_early_says_so_and_leaves_the_model_after_its_last_batch() -> None:
    model = Model([Dense(12, 3)], SoftmaxCrossentropy(), SGD(1e-4))
    with pytest.raises(DataError, match=r"ended after 2 steps of epoch 2, before steps_per_epoch=10.*read again"):
        model.fit(iter([*BATCHES, BATCHES[0]]), epochs=3, steps_per_epoch=10, verbose=False)
    assert model.run.step == 12 and model.run.epoch == 1 and len(model.history) == 1


def test_a_run_on_batches_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    def shuffled(epoch: int) -> Iterator[Any]:
        order = np.random.default_rng(epoch).permutation(len(BATCHES))
        return (BATCHES[i] for i in order)

    path = tmp_path / "run"
    whole = fitted(shuffled, epochs=4)[0]
    fitted(shuffled, epochs=2, checkpoint=path)
    resumed, _ = fitted(shuffled, epochs=4, checkpoint=path, resume=True)
    assert_same((whole, whole.history), (resumed, resumed.history))
    with pytest.raises(ConfigurationError, match="cannot be resumed: it belongs to a run with other data"):
        fitted(BATCHES[1:], epochs=4, checkpoint=path, resume=True)
    with pytest.raises(ConfigurationError, match="a checkpoint needs batches that can be read again"):
        fitted(iter(BATCHES), epochs=1, checkpoint=path)


class Foreign:
    """An array of another library: it has `__array__`, and can be gone through."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values.astype(dtype or self.values.dtype)

    def __iter__(self) -> Any:
        return iter(self.values)


PAIRS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([tuple(row) for row in PAIRS], [0, 1, 1]),
        (PAIRS, [0, 1, 1]),
        (Foreign(PAIRS), Foreign([0, 1, 1])),
        (memoryview(np.array(PAIRS)), memoryview(np.array([0, 1, 1]))),
    ],
    ids=["tuples", "lists", "__array__", "memoryview"],
)
def test_what_can_be_an_array_of_samples_is_one_where_y_is_given(X: Any, y: Any) -> None:
    models = [Model([Dense(2, 2)], SoftmaxCrossentropy()) for _ in range(2)]
    histories = [
        model.fit(*data, epochs=2, verbose=False)["loss"]
        for model, data in zip(models, [(X, y), (np.array(PAIRS), np.array([0, 1, 1]))], strict=True)
    ]
    assert histories[0] == histories[1]
    assert models[0].evaluate(X, y) == models[1].evaluate(np.array(PAIRS), np.array([0, 1, 1]))


def test_a_batch_may_be_a_list_in_a_list_as_in_an_iterator() -> None:
    batches = [[np.array(PAIRS), [0, 1, 1]], [PAIRS[:2], [0, 1]]]
    losses = [
        Model([Dense(2, 2)], SoftmaxCrossentropy()).fit(given, epochs=1, verbose=False)["loss"]
        for given in (batches, iter(batches), [tuple(batch) for batch in batches])
    ]
    assert losses[0] == losses[1] == losses[2]
    model = Model([Dense(2, 2)], SoftmaxCrossentropy())
    with pytest.raises(ConfigurationError, match="leave y out beside them"):
        model.fit(batches, [0, 1], verbose=False)
    with pytest.raises(ConfigurationError, match="y is missing"):
        model.fit([tuple(row) for row in PAIRS], verbose=False)


def test_what_numpy_cannot_read_is_named() -> None:
    model = Model([Dense(2, 2)], SoftmaxCrossentropy())
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DataError, match=r"X is a sparse matrix, a csr_array; write X\.toarray\(\)"):
        model.fit(sparse.csr_array(np.array(PAIRS)), [0, 1, 1], verbose=False)

    class Elsewhere(Foreign):
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise TypeError("copy it to the host first.")

    with pytest.raises(DataError, match=r"X: NumPy cannot read this Elsewhere: copy it to the host first\.$"):
        model.fit(Elsewhere(PAIRS), [0, 1, 1], verbose=False)


REFUSED: list[tuple[Any, dict[str, Any], type[ChainruleError], str]] = [
    (BYTES, {}, ConfigurationError, r"y is missing; write fit\(X, y\)"),
    ([], {}, ConfigurationError, "y is missing"),
    (iter([]), {"epochs": 1}, DataError, "there is no batch"),
    (iter(BATCHES), {}, ConfigurationError, "an iterator is read once, and there are 2 epochs"),
    (lambda: 3, {}, ConfigurationError, "must return batches, not int"),
    (lambda: [BYTES], {}, DataError, r"batch 1 of epoch 1: a batch must be a tuple \(X, y\).* received ndarray"),
    (lambda: [*BATCHES, (BYTES[:2],)], {}, DataError, "batch 12 of epoch 1: .*received tuple of length 1"),
    ([*BATCHES, (BYTES[:, :5], CLASSES)], {}, ShapeError, r"batch 12 of epoch 1: X has shape \(333, 5\)"),
    ([*BATCHES, (BYTES[:3], CLASSES)], {}, DataError, "batch 12 of epoch 1: X has 3 samples, y 333"),
    ([*BATCHES, (BYTES[:0], CLASSES[:0])], {}, DataError, "batch 12 of epoch 1: X has 0 samples"),
    ([*BATCHES, WEIGHED[0]], {}, DataError, "the first batch had none sample_weights, this one has some"),
    ([BATCHES[0], (BYTES[:2], [0, 9])], {}, DataError, "batch 2 of epoch 1: .*9"),
    ([(BYTES[:, :5], CLASSES)], {}, ShapeError, "batch 1 of epoch 1: "),
    ([BATCHES[0], (np.full((333, 12), np.inf), CLASSES)], {}, NonFiniteError, "batch 2 of epoch 1: X holds"),
    (BATCHES, {"class_weights": "balanced"}, ConfigurationError, "needs all targets"),
    (BATCHES, {"validation_split": 0.2}, ConfigurationError, "leave validation_split out"),
    (BATCHES, {"sample_weights": WEIGHTS}, ConfigurationError, "leave sample_weights out"),
    (BATCHES, {"y": CLASSES}, ConfigurationError, "leave y out"),
    (BATCHES, {"steps_per_epoch": 0}, ConfigurationError, "steps_per_epoch must be a whole number of at least 1"),
    (BYTES, {"y": CLASSES, "steps_per_epoch": 3}, ConfigurationError, "steps_per_epoch belongs to batches"),
    (BATCHES, {"validation_data": iter(BATCHES)}, DataError, "validation_data: the batches have been read to their"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_cannot_be_is_refused_with_its_place(case: int) -> None:
    given, options, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        fitted(given, **options)
