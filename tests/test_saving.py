"""Whole models in files, and runs that go on from their checkpoint as if they had never stopped."""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    L2,
    SGD,
    Adam,
    Add,
    BatchNorm,
    Callback,
    CosineDecay,
    Dense,
    Dropout,
    EarlyStopping,
    Graph,
    Layer,
    Model,
    ReduceLROnPlateau,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    datasets,
    register,
)
from chainrule.errors import ConfigurationError, DefinitionError, FileFormatError, NonFiniteError
from chainrule.files import load_arrays, save_arrays
from chainrule.interrupt import CtrlC
from chainrule.training.callback import Fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


@register
@dataclass(eq=False)
class Scaled(Layer):
    """A user's layer."""

    factor: float

    def pure_forward(self, xp, inputs):
        return self.factor * inputs

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=self.factor * dvalues)


def network() -> Graph:
    block = Sequential(Dense(8, 8, penalties={"weights": L2(1e-4)}), ReLU(), ("drop", Dropout(0.1)))
    return Graph(
        [
            ("first", Dense(4, 8), "inputs"),
            ("norm", BatchNorm(8), "first"),
            ("block", block, "norm"),
            ("sum", Add(), ("block", "norm")),
            ("scaled", Scaled(0.5), "sum"),
            ("last", Dense(8, 3), "scaled"),
        ]
    )


def model(**options: Any) -> Model:
    optimizer = Adam(CosineDecay(0.02, steps=200), groups={"*.biases": {"weight_decay": 0.01}}, clip_norm=5.0)
    return Model(
        network(), SoftmaxCrossentropy(label_smoothing=0.05), optimizer, class_names=["a", "b", "c"], **options
    )


def assert_same(one: Model, other: Model) -> None:
    """Equal in everything that decides what comes next."""
    for name in ("values", "slots"):
        first, second = getattr(one.run, name), getattr(other.run, name)
        assert first.keys() == second.keys()
        for key in first:
            np.testing.assert_array_equal(first[key], second[key], err_msg=key)
            assert first[key].dtype == second[key].dtype
    assert (one.run.step, one.run.epoch, one.run.rate_scale) == (other.run.step, other.run.epoch, other.run.rate_scale)
    timeless = [[{n: v for n, v in r.items() if n != "seconds"} for r in m.history.records] for m in (one, other)]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_whole_and_trains_on_bit_for_bit(dtype: str, tmp_path: Path) -> None:
    first = model(dtype=dtype)
    first.fit(X, Y, epochs=3, batch_size=16, verbose=False)
    first.save(tmp_path / "model.safetensors")
    second = Model.load(tmp_path / "model.safetensors")
    assert_same(first, second)
    assert second.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    for each in (first, second):
        each.fit(X, Y, epochs=3, batch_size=16, verbose=False)
    assert_same(first, second)


def test_frozen_layers_and_tied_parameters_come_back(tmp_path: Path) -> None:
    first = Model(
        Graph(
            [("one", Dense(4, 4).freeze(), "inputs"), ("two", Dense(4, 4), "one"), ("three", Dense(4, 3), "two")],
            ties={"two.biases": "one.biases"},
        ),
        SoftmaxCrossentropy(),
        SGD(0.1, momentum=0.9, nesterov=True),
    )
    first.fit(X, Y, epochs=2, verbose=False)
    first.save(tmp_path / "model")
    second = Model.load(tmp_path / "model")
    assert second.network.trainable_names() == first.network.trainable_names()
    assert second.network.ties == first.network.ties
    assert_same(first, second)


def test_what_cannot_be_built_again_is_refused_when_saving(tmp_path: Path) -> None:
    class Unregistered(Layer):
        def pure_forward(self, xp, inputs):
            return inputs

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)

    with pytest.raises(ConfigurationError, match=r"Unregistered cannot be written to a file: .*register"):
        Model([Unregistered(), Dense(4, 3)], SoftmaxCrossentropy()).save(tmp_path / "model")
    with pytest.raises(ConfigurationError, match="cannot be written to a file"):
        Model([Dense(4, 3)], SoftmaxCrossentropy(), SGD(lambda step: 0.1)).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_two_classes_of_one_name_cannot_both_be_registered() -> None:
    def made() -> type:
        class Scaled(Layer):
            def pure_forward(self, xp, inputs):
                return inputs

            def pure_backward(self, xp, dvalues):
                return dict(dinputs=dvalues)

        return Scaled

    with pytest.raises(DefinitionError, match="another registered class named 'Scaled'"):
        register(made())


# Files that are not what they say


def altered(path: Path, change: Any) -> Path:
    """The model file with its description changed, and a checksum that is right again."""
    arrays, metadata = load_arrays(path)
    content = json.loads(metadata["content"])
    change(content, arrays)
    save_arrays(path, arrays, {**metadata, "content": as_json(content)})
    return path


def as_json(content: Any) -> str:
    """JSON also of what is nested too deeply for `json.dumps`, which ends at a thousand or so."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        return json.dumps(content)
    finally:
        sys.setrecursionlimit(limit)


ALTERATIONS: dict[str, Any] = {
    "an unknown class": lambda c, a: c["network"]["nodes"][0][1].update(type="os.system"),
    "another kind of object": lambda c, a: c.update(loss={"type": "Adam"}),
    "a missing part": lambda c, a: c.pop("optimizer"),
    "a wrong size": lambda c, a: c["network"]["nodes"][0][1].update(n_neurons=10**9),
    "a wrong type": lambda c, a: c["network"]["nodes"][0][1].update(n_neurons="8"),
    "an unknown setting": lambda c, a: c["network"]["nodes"][0][1].update(secret=1),
    "a missing array": lambda c, a: a.pop("value/first.weights"),
    "an array too many": lambda c, a: a.update({"value/more": np.zeros(1)}),
    "an array of another shape": lambda c, a: a.update({"value/first.weights": np.zeros((4, 9), np.float32)}),
    "an array of another dtype": lambda c, a: a.update({"value/first.weights": np.zeros((4, 8), np.int64)}),
    "a missing slot": lambda c, a: a.pop("slot/first.weights.cache"),
    "a negative step": lambda c, a: c["run"].update(step=-1),
    "a history of text": lambda c, a: c["history"].update(records=["x"]),
    "a network of no nodes": lambda c, a: c["network"].update(nodes=[]),
    "a list for a network": lambda c, a: c.update(network=[1, 2]),
    "a seed too large": lambda c, a: c["run"].update(seed=2**64),
    "a step too large": lambda c, a: c["run"].update(step=2**62),
    "a step that is true": lambda c, a: c["run"].update(step=True),
    "a text as epoch": lambda c, a: c["run"].update(epoch="3"),
    "a fraction of an epoch": lambda c, a: c["run"].update(epoch=1.5),
    "a rate that is not a number": lambda c, a: c["run"].update(rate_scale=float("nan")),
    "a negative rate": lambda c, a: c["optimizer"]["learning_rate"].update(rate=-0.1),
    "a schedule that is none": lambda c, a: c["optimizer"].update(learning_rate={"type": "He"}),
    "a momentum of 1": lambda c, a: c["optimizer"].update(beta_1=1.0),
    "a momentum of text": lambda c, a: c["optimizer"].update(beta_2="0.9"),
    "an infinite decay": lambda c, a: c["optimizer"].update(weight_decay=float("inf")),
    "groups in a list": lambda c, a: c["optimizer"].update(groups=[]),
    "a rate of dropout that is not a number": lambda c, a: drop(c).update(rate=float("nan")),
    "an initializer that is none": lambda c, a: c["network"]["nodes"][0][1].update(initializer=3),
    "a user's setting of text": lambda c, a: c["network"]["nodes"][4][1].update(factor="0.5"),
    "frozen by a text": lambda c, a: c["network"]["nodes"][0][1].update(frozen="no"),
    "smoothing above 1": lambda c, a: c["loss"].update(label_smoothing=2.0),
    "a whole number that no float holds": lambda c, a: c["loss"].update(label_smoothing=10**400),
    "weights of other classes": lambda c, a: c["loss"].update(class_weights=[1.0, 2.0]),
    "an unknown engine": lambda c, a: c["run"].update(engine="cuda"),
    "an unknown metric": lambda c, a: c["run"].update(metrics=["f2"]),
    "a metric for a list of metrics": lambda c, a: c["run"].update(metrics="f1"),
    "a record without an epoch": lambda c, a: c["history"].update(records=[{"loss": 1.0}]),
    "a record of another epoch": lambda c, a: c["history"].update(records=[{"epoch": -1}]),
    "a record with a number in text": lambda c, a: c["history"].update(records=[{"epoch": 1, "loss": "0.5"}]),
    "notes that are a text": lambda c, a: c["history"].update(notes="fine"),
    "an end that is a number": lambda c, a: c["history"].update(stopped=3),
    "class names in a text": lambda c, a: c["extras"].update(class_names="abc"),
    "class names that are numbers": lambda c, a: c["extras"].update(class_names=[1, 2, 3]),
    "class names of half a character": lambda c, a: c["extras"].update(class_names=["a", "b", "\ud800"]),
    "a preprocessing that is an object": lambda c, a: c["extras"].update(preprocessing={}),
    "a preprocessing that is none": lambda c, a: c["extras"].update(preprocessing="{}"),
    "a preprocessing of other columns": lambda c, a: c["extras"].update(preprocessing=of_two_columns()),
    "too many layers": lambda c, a: c["network"].update(nodes=c["network"]["nodes"] * 1000),
    "graphs in graphs in graphs": lambda c, a: c.update(network=nested(100)),
    "graphs without an end": lambda c, a: c.update(network=nested(20_000)),
    "parameters that are not numbers": lambda c, a: a["value/first.weights"].fill(np.nan),
    "an array of no part": lambda c, a: a.update({"more": np.zeros(1)}),
}


def drop(content: Any) -> Any:
    """The description of the dropout inside the block."""
    return content["network"]["nodes"][2][1]["nodes"][2][1]


def nested(depth: int) -> Any:
    """Graphs of one node inside one another; JSON too deep to be written is text."""
    graph: Any = {"type": "ReLU"}
    for _ in range(depth):
        graph = {"type": "Graph", "nodes": [["a", graph, "inputs"]], "output": "a", "ties": {}}
    return graph


def of_two_columns() -> str:
    table = {"size": [1.0, 2.0, 3.0], "age": [4.0, 5.0, 7.0], "kind": ["a", "b", "c"]}
    return datasets.Preprocessing.fit(datasets.read_table(table), "kind").to_json()


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_file_with_a_right_checksum_and_a_wrong_content_is_refused_by_name(alteration: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    model().save(path)
    altered(path, ALTERATIONS[alteration])
    with pytest.raises(FileFormatError, match=f"{path} does not describe a model: ."):
        Model.load(path)


def test_a_name_that_stands_twice_in_the_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    model().save(path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].rstrip()
    name = next(name for name in json.loads(header) if name != "__metadata__")
    again = header[:-1] + b"," + json.dumps({name: json.loads(header)[name]}).encode()[1:]
    path.write_bytes(len(again).to_bytes(8, "little") + again + content[8 + size :])
    with pytest.raises(FileFormatError, match="a key stands twice"):
        Model.load(path)


@pytest.mark.parametrize("damage", ["truncated", "other file", "parameters only", "folder", "missing"])
def test_other_files_are_refused_and_say_why(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    if damage == "truncated":
        model().save(path)
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "other file":
        path.write_text("hello")
    elif damage == "parameters only":
        save_arrays(path, {"w": np.zeros(3)}, {"format": "something"})
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(FileFormatError, match=str(path)):
        Model.load(path)


# Checkpoints


def callbacks() -> list[Any]:
    return [EarlyStopping("loss", patience=50), ReduceLROnPlateau("loss", patience=2, min_delta=0.02)]


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one step, so that a run can be stopped between any two."""
    monkeypatch.setattr("chainrule.training.steps.BLOCK_SECONDS", 0.0)


def fit(one: Model, epochs: int, path: Path | None, resume: bool = False, **options: Any) -> Any:
    return one.fit(
        X,
        Y,
        epochs=epochs,
        batch_size=16,
        validation_split=0.2,
        callbacks=callbacks(),
        checkpoint=path,
        resume=resume,
        verbose=False,
        **({"record_every": 1} | options),
    )


class Stop(Exception):
    """Stands for a kill that no one can catch."""


@pytest.mark.parametrize("epoch", [0, 1, 7, 12])
@pytest.mark.usefixtures("short_blocks")
def test_a_run_that_dies_goes_on_from_its_checkpoint_bit_for_bit(
    epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.training.checkpoint._SECONDS_BETWEEN", 0.0)
    whole = model()
    fit(whole, 12, None)
    path, dying = tmp_path / "checkpoint", model()
    monkeypatch.setattr("chainrule.training.checkpoint.Checkpoint.finish", lambda self: None)

    def die(done: int, total: int) -> None:
        if dying.run.epoch == epoch and done == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("chainrule.training.progress.Progress.batch", lambda self, epochs, done, total: die(done, total))
        if epoch < 12:
            with pytest.raises(Stop):
                fit(dying, 12, path)
        else:
            fit(dying, 12, path)
    resumed = model()
    history = fit(resumed, 12, path, resume=True)
    assert_same(whole, resumed)
    assert len(history) == 12


@pytest.mark.parametrize(
    "place",
    [
        "steps.Steps._stand",
        "plan.Plan.recorded",
        "fitting._record",
        "progress.Progress.show",
        "checkpoint.Checkpoint.mark",
    ],
)
def test_ctrl_c_waits_until_what_belongs_to_a_record_is_done(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped, path = model(), model(), tmp_path / "checkpoint"
    fit(whole, 6, None)
    kind, _, method = place.rpartition(".")
    owner = pkgutil.resolve_name(f"chainrule.training.{kind}")
    plain, pressed = getattr(owner, method), []

    def presses(*arguments: Any) -> Any:
        if stopped.run.epoch >= 2 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        return plain(*arguments)

    with monkeypatch.context() as patch:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        patch.setattr(owner, method, presses)
        assert fit(stopped, 6, path).stopped == "interrupted"
        signal.signal(signal.SIGINT, before)
    assert pressed and stopped.history["epoch"] == list(range(1, stopped.run.epoch + 1))
    resumed = model()
    fit(resumed, 6, path, resume=True)
    assert_same(whole, resumed)


def test_a_second_ctrl_c_waits_for_nothing() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with CtrlC(waits=True) as ctrl_c:
            ctrl_c.check()
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                ctrl_c.check()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("short_blocks")
def test_ctrl_c_leaves_the_last_whole_epoch_in_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, stopped, path = model(), model(), tmp_path / "checkpoint"
    fit(whole, 6, None)

    def interrupt(self: Any, epochs: int, done: int, total: int) -> None:
        if stopped.run.epoch == 3 and done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("chainrule.training.progress.Progress.batch", interrupt)
        assert fit(stopped, 6, path).stopped == "interrupted"
    assert stopped.run.step == 3 * 4 + 2
    resumed = model()
    fit(resumed, 6, path, resume=True)
    assert_same(whole, resumed)


@pytest.mark.parametrize("error", [SystemExit, MemoryError, RuntimeError])
@pytest.mark.parametrize("record_every", [None, 3])
@pytest.mark.usefixtures("short_blocks")
def test_a_run_that_an_error_ends_in_mid_epoch_resumes_bit_for_bit(
    error: type[BaseException], record_every: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped, path = model(), model(), tmp_path / "checkpoint"
    fit(whole, 6, None, record_every=record_every)

    def fail(self: Any, epochs: int, done: int, total: int) -> None:
        if stopped.run.epoch == 3 and done == 2:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr("chainrule.training.progress.Progress.batch", fail)
        with pytest.raises(error):
            fit(stopped, 6, path, record_every=record_every)
    resumed = model()
    fit(resumed, 6, path, resume=True, record_every=record_every)
    assert_same(whole, resumed)


def test_a_run_that_a_callback_ends_resumes_bit_for_bit(tmp_path: Path) -> None:
    """The callbacks after the one that failed have not seen the epoch: it counts as not over."""

    class Full(Callback):
        def epoch(self, fit: Fit) -> None:
            if fit.record["epoch"] == 3 and failing:
                raise OSError(28, "No space left on device")

    options: dict[str, Any] = dict(epochs=6, batch_size=16, record_every=1, verbose=False)
    watching = [Full(), ReduceLROnPlateau("loss", patience=1, min_delta=0.05)]
    failing, whole, stopped, resumed = False, model(), model(), model()
    whole.fit(X, Y, callbacks=watching, **options)
    failing = True
    with pytest.raises(OSError, match="No space"):
        stopped.fit(X, Y, callbacks=watching, checkpoint=tmp_path / "c", **options)
    failing = False
    resumed.fit(X, Y, callbacks=watching, checkpoint=tmp_path / "c", resume=True, **options)
    assert_same(whole, resumed)


@pytest.mark.parametrize("record_every", [1, 5])
def test_early_stopping_saves_the_best_and_goes_on_from_the_last(record_every: int | None, tmp_path: Path) -> None:
    """A longer run is what it would have been, also where the shorter one brought older parameters back."""

    def train(epochs: int, path: Path | None, resume: bool = False) -> Model:
        one = Model(network(), SoftmaxCrossentropy(), SGD(1.5))
        one.fit(
            X,
            Y,
            epochs=epochs,
            batch_size=16,
            callbacks=[EarlyStopping("val_loss", patience=99)],
            validation_split=0.3,
            checkpoint=path,
            resume=resume,
            record_every=record_every,
            verbose=False,
            engine="fused",  # auto would choose by the length of the run
        )
        return one

    path = tmp_path / "checkpoint"
    short = train(5, path)
    np.testing.assert_array_equal(Model.load(path).predict_proba(X), short.predict_proba(X))
    assert_same(train(10, None), train(10, path, resume=True))


@pytest.mark.usefixtures("short_blocks")
def test_ctrl_c_with_early_stopping_leaves_the_model_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    one, last = model(), []

    def interrupt(self: Any, epochs: int, done: int, total: int) -> None:
        last[:] = [one.run.values]  # the arrays themselves
        if one.run.epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.training.progress.Progress.batch", interrupt)
    fit(one, 9, None)
    assert all(array is last[0][name] for name, array in one.run.values.items())


def test_a_finished_run_resumes_to_nothing_and_to_more_epochs(tmp_path: Path) -> None:
    path, first = tmp_path / "checkpoint", model()
    first.fit(X, Y, epochs=3, batch_size=16, record_every=1, checkpoint=path, verbose=False)
    again, longer = model(), model()
    assert (
        len(again.fit(X, Y, epochs=3, batch_size=16, record_every=1, checkpoint=path, resume=True, verbose=False)) == 3
    )
    assert_same(first, again)
    longer.fit(X, Y, epochs=5, batch_size=16, record_every=1, checkpoint=path, resume=True, verbose=False)
    assert longer.run.epoch == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(batch_size=8), r"a run with batch_size=16 \(now 8\)"),
        (dict(y=Y[::-1]), "a run with other data"),
        (dict(callbacks=[]), r"other callbacks: EarlyStopping\(.*\(now none of them\)"),
        (dict(shuffle=False), "a run with shuffle=True"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    options: dict[str, Any] = dict(y=Y, epochs=2, batch_size=16, callbacks=callbacks(), checkpoint=path, verbose=False)
    model().fit(X, **options)
    with pytest.raises(ConfigurationError, match=message):
        model().fit(X, **(options | change), resume=True)
    with pytest.raises(ConfigurationError, match=r"a run with seed=0 \(now 7\)"):
        model(seed=7).fit(X, **options, resume=True)
    slower = Model(network(), SoftmaxCrossentropy(label_smoothing=0.1), model().optimizer, class_names=["a", "b", "c"])
    with pytest.raises(ConfigurationError, match=r"another loss, label_smoothing 0\.05 in the file and 0\.1 now"):
        slower.fit(X, **options, resume=True)
    other = Model([Dense(4, 3)], SoftmaxCrossentropy())
    with pytest.raises(ConfigurationError, match="it has another network, of another kind or size"):
        other.fit(X, **options, resume=True)


def test_a_run_that_fails_in_its_first_epoch_leaves_the_earlier_model_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    model().fit(X, Y, epochs=2, checkpoint=path, verbose=False)
    before = path.read_bytes()
    with pytest.raises(NonFiniteError):
        Model(network(), SoftmaxCrossentropy(), SGD(1e30)).fit(X, Y, checkpoint=path, verbose=False)
    assert path.read_bytes() == before


def test_a_plain_model_file_is_no_checkpoint(tmp_path: Path) -> None:
    model().save(tmp_path / "model")
    with pytest.raises(FileFormatError, match="not the checkpoint of a run"):
        model().fit(X, Y, checkpoint=tmp_path / "model", resume=True, verbose=False)
    with pytest.raises(ConfigurationError, match="needs the path of a checkpoint"):
        model().fit(X, Y, resume=True, verbose=False)


def test_a_checkpoint_is_itself_a_model(tmp_path: Path) -> None:
    first = model()
    fit(first, 3, tmp_path / "checkpoint")
    np.testing.assert_array_equal(Model.load(tmp_path / "checkpoint").predict(X), first.predict(X))


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL exists on POSIX systems only")
def test_ten_kills_at_random_moments_leave_a_readable_file_and_a_bit_identical_end(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "scripts" / "kill_runs.py"
    result = subprocess.run(
        [sys.executable, str(script), "--kills", "10", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "10 kills, 0 unreadable files, the end is bit-identical" in result.stdout


def test_ten_thousand_mutated_files_raise_nothing_but_the_librarys_error(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "scripts" / "mutate_models.py"
    result = subprocess.run(
        [sys.executable, str(script), "--files", "10000", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "10000 mutated files" in result.stdout


def test_a_read_only_folder_leaves_the_old_model_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, first = tmp_path / "model", model()
    first.save(path)
    before = path.read_bytes()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)  # what a read-only folder does, also to the superuser
    first.fit(X, Y, epochs=1, verbose=False)
    with pytest.raises(PermissionError):
        first.save(path)
    assert path.read_bytes() == before
