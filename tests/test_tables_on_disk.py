"""Tables larger than memory: what is learned from them and the rows they give are those of the whole in memory."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Adam, Callback, Dense, MeanSquaredError, Model, ReLU, SoftmaxCrossentropy, cli, datasets
from chainrule.commands.console import in_the_shell
from chainrule.datasets import room
from chainrule.datasets.streaming import bytes_of
from chainrule.errors import ChainruleError, ConfigurationError, DataError, FileFormatError
from chainrule.training.callback import Fit

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROWS = 700


def columns() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    size = rng.normal(3, 2, ROWS)
    return {
        "size": size.tolist(),
        "gaps": [None if i % 7 == 3 else float(i % 5) for i in range(ROWS)],
        "colour": [["red", "blue", "green"][i] for i in rng.integers(0, 3, ROWS)],
        "town": [None if i < 200 else f"town {i % 12}" for i in range(ROWS)],  # a first row group without any
        "day": (np.datetime64("2020-01-01") + rng.integers(0, 900, ROWS)).astype("datetime64[s]"),
        "sold": np.where(size + rng.normal(0, 1, ROWS) > 3, "yes", "no").tolist(),
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("disk") / "sales.parquet"
    parquet.write_table(pyarrow.table(columns()), path, row_group_size=100)
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in seven CSV files with decimal commas."""
    folder = tmp_path_factory.mktemp("sales")
    lines = [
        ";".join("" if v is None else str(v).replace(".", ",") if isinstance(v, float) else str(v)[:10] for v in row)
        for row in zip(*columns().values(), strict=True)
    ]
    for i in range(7):
        (folder / f"{i}.csv").write_text("\n".join([";".join(columns()), *lines[i * 100 : (i + 1) * 100]]) + "\n")
    return folder


def trained(X: Any, y: Any, data: Any, **options: Any) -> Model:
    outputs, features = len(data.class_names) or 1, len(data.feature_names)
    loss = SoftmaxCrossentropy() if data.class_names else MeanSquaredError()
    model = Model([Dense(features, 8), ReLU(), Dense(8, outputs)], loss, Adam(0.01), preprocessing=data.preprocessing)
    model.fit(X, y, epochs=3, verbose=False, engine="numpy", **options)
    return model


@pytest.mark.parametrize("target", ["sold", "size"])
def test_the_same_bits_as_from_the_whole_in_memory(path: Path, target: str) -> None:
    """Statistics, choice of the rows, order of the batches, and so parameters and history."""
    whole = datasets.read(path, target=target, missing="impute")
    found = datasets.stream(path, target=target, missing="impute", memory="1MB")
    assert found.preprocessing == whole.preprocessing and found.notes == whole.notes
    one = trained(whole.X_train, whole.y_train, whole, validation_split=0.1)
    other = trained(found.train.batches(32), None, found, validation_data=found.validation.batches(50, shuffle=False))
    for name, array in one.parameters.items():
        np.testing.assert_array_equal(array, other.parameters[name])
    assert one.history["loss"] == other.history["loss"]
    assert one.history["val_loss"] == pytest.approx(other.history["val_loss"], rel=1e-6)
    X, y = (np.concatenate(arrays) for arrays in zip(*found.test.batches(64, shuffle=False)(epoch=0), strict=True))
    np.testing.assert_array_equal(X, whole.X_test)
    np.testing.assert_array_equal(y, whole.y_test)
    np.testing.assert_array_equal(found.test.targets(), whole.y_test)


def test_an_order_that_follows_from_seed_and_epoch_in_little_memory(path: Path) -> None:
    """A buffer of a few rows: every row once in each epoch, in full batches, another order for epoch and seed."""
    found = datasets.stream(path, missing="impute", memory=60_000)
    assert found.buffer_rows < len(found.train) // 2
    epochs = [np.concatenate([X for X, _ in found.train.batches(16)(epoch=e)]) for e in (0, 1, 0)]
    np.testing.assert_array_equal(epochs[0], epochs[2])
    assert (epochs[0] != epochs[1]).any()
    in_order = np.concatenate([X for X, _ in found.train.batches(16, shuffle=False)(epoch=0)])
    for rows in epochs:
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(in_order, axis=0))
    sizes = [len(X) for X, _ in found.train.batches(16)(epoch=0)]
    assert sizes[:-1] == [16] * (len(sizes) - 1) and len(sizes) == len(found.train.batches(16))
    other = datasets.stream(path, missing="impute", memory=60_000, seed=1)
    first = next(other.train.batches(16)(epoch=0))[0]
    assert first.shape != epochs[0][:16].shape or (first != epochs[0][:16]).any()


def test_processes_read_parts_that_make_up_the_whole(path: Path) -> None:
    train = datasets.stream(path, missing="impute").train
    rows = [np.concatenate([X for X, _ in train.part(r, 3).batches(10)(epoch=0)]) for r in range(3)]
    whole = np.concatenate([X for X, _ in train.batches(10)(epoch=0)])
    assert sum(map(len, rows)) == len(train) == len(whole)
    np.testing.assert_array_equal(np.sort(np.concatenate(rows), axis=0), np.sort(whole, axis=0))
    with pytest.raises(DataError, match="7 row groups, fewer than the 8 processes"):
        train.part(0, 8)
    with pytest.raises(ConfigurationError, match="rank must be at least 0 and below ranks=2, not 2"):
        train.part(2, 2)


def test_files_of_text_are_shards_of_one_table(shards: Path, path: Path) -> None:
    found = datasets.stream(shards, target="sold", missing="impute", text=["town"])
    expected = datasets.stream(path, target="sold", missing="impute")
    assert found.feature_names == expected.feature_names and found.class_names == ("no", "yes")
    by_pattern = datasets.stream(f"{shards}/[0-4].csv", target="sold", missing="impute", text=["town"])
    assert len(by_pattern.train) + len(by_pattern.validation) + len(by_pattern.test) == 500
    assert [column.name for column in found.preprocessing.columns] == ["size", "gaps", "colour", "town", "day"]
    (size,) = (column for column in found.preprocessing.columns if column.name == "size")
    assert size.written.mark == ","


def _broken(folder: Path, name: str, content: bytes | str) -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder)


REFUSED: dict[str, tuple[Any, dict[str, Any], type[ChainruleError], str]] = {
    "no file": (lambda f: f"{f}/none*.csv", {}, FileFormatError, "there is no such file"),
    "an empty folder": (str, {}, FileFormatError, "there is no such file, and no file in such a folder"),
    "other columns": (
        lambda f: (_broken(f, "a.csv", "x,y\n1,2\n3,4\n"), _broken(f, "b.csv", "x,z\n1,2\n"))[0],
        {}, DataError, r"b\.csv has the columns x, z; .*a\.csv has x, y",
    ),
    "text for numbers": (
        lambda f: (_broken(f, "a.csv", "x,y\n1,2\n3,4\n"), _broken(f, "b.csv", "x,y\nred,2\nblue,3\n"))[0],
        {}, DataError, r"b\.csv: the column 'x' holds text, in the files before it numbers",
    ),
    "text among numbers": (
        lambda f: (_broken(f, "a.csv", "x,y\n1,2\n3,4\n"), _broken(f, "b.csv", "x,y\n1,2\nblue,3\n"))[0],
        {"target": "y"}, DataError, "missing values: 1 in 'x'",
    ),
    "an empty file": (lambda f: _broken(f, "a.csv", ""), {}, FileFormatError, r"a\.csv is empty"),
    "no Parquet": (lambda f: _broken(f, "a.parquet", b"PAR1 and nothing"), {}, FileFormatError, "not a readable Parq"),
    "little memory": (
        lambda f: _broken(f, "a.csv", "x,y\n1,2\n3,4\n5,6\n"), {"memory": 100}, ConfigurationError, "at least 1MB",
    ),
    "no size": (lambda f: _broken(f, "a.csv", "x,y\n1,2\n"), {"memory": "much"}, ConfigurationError, "not 'much'"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:b.csv. 'x'. 'blue' in line 3. no number as the model was trained on")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(case: str, tmp_path: Path) -> None:
    make, options, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        datasets.stream(make(tmp_path), **options)


def shell(folder: Path, *arguments: str) -> str:
    """What the shell prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        cli.app(["train", *arguments, "--layers", "8", "--epochs", "3", "--engine", "numpy", "--out", str(folder)])
    assert end.value.code == 0
    return out.getvalue()


def test_an_interrupted_run_in_pieces_says_so_as_json(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(Callback):
        def epoch(self, fit: Fit) -> None:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys.modules["chainrule.commands.train"], "InTheShell", Interrupting)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        cli.app(["train", str(path), "--target", "sold", "--missing", "impute", "--memory", "1MB", "--json",
                 "--layers", "8", "--epochs", "3", "--out", str(tmp_path)])  # fmt: skip
    said = json.loads(out.getvalue())
    assert (end.value.code, said["interrupted"], said["epochs"]) == (130, True, 1)
    assert said["files"] == [str(tmp_path / "model.safetensors")] and Path(said["files"][0]).is_file()


@pytest.mark.parametrize("target", ["sold", "size"])
def test_the_shell_reads_a_table_in_pieces(
    path: Path, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for all the run is that of the whole; its recipe gives the same numbers."""
    asked = [str(path), "--target", target, "--missing", "impute"]
    whole = json.loads(shell(tmp_path / "whole", *asked, "--json"))
    pieces = json.loads(shell(tmp_path / "pieces", *asked, "--json", "--memory", "1MB"))
    for part in ("train", "test"):
        assert pieces[part] == pytest.approx(whole[part], rel=1e-5)
    program = shell(tmp_path, *asked, "--memory", "1MB", "--recipe")
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(program, {})
    assert f"'loss': {pieces['test']['loss']}" in out.getvalue().splitlines()[-1]


def test_a_table_that_does_not_fit_is_refused_with_the_way_to_read_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_SMALL", 0)
    datasets.read(path, target="sold", missing="impute")
    monkeypatch.setattr(room, "free_memory", lambda: 12 * 6 * ROWS - 1)
    with pytest.raises(ConfigurationError, match=r"are free; write datasets\.stream") as caught:
        datasets.read(path, target="sold", missing="impute")
    assert in_the_shell(str(caught.value)).endswith("write --memory 500MB, which reads it in pieces.")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_limit_of_a_process_counts() -> None:
    """Under a limit of its address space less is free than the machine has."""
    program = "import resource, chainrule.datasets.room as r; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9));"
    found = subprocess.run([sys.executable, "-c", program + "print(r.free_memory())"], capture_output=True, check=True)
    assert 0 <= int(found.stdout) < 10**9


def test_sizes() -> None:
    assert [bytes_of(size) for size in ("2k", "1.5 GB", "10B", 7)] == [2000, 1_500_000_000, 10, 7]
    for wrong in ("", "0", "-1MB", "MB", True, "1 XB"):
        with pytest.raises(ConfigurationError, match="memory must be a size"):
            bytes_of(wrong)


def test_reading_takes_no_more_than_the_memory_of_a_table_several_times_as_large(path: Path, tmp_path: Path) -> None:
    """Learning, and rows to train on and to validate on at the same time; what pyarrow holds counts, too."""
    rng, names = np.random.default_rng(0), [f"x{i}" for i in range(40)]
    X = rng.normal(size=(12_000, 40))  # 3.8 MB
    columns = dict(zip(names, X.T, strict=True)) | {"y": np.where(X[:, 0] > 0, "a", "b")}
    parquet.write_table(pyarrow.table(columns), tmp_path / "large.parquet", row_group_size=250)
    del columns, X

    def read(path: Path, target: str, memory: int) -> Any:
        found = datasets.stream(path, target=target, missing="impute", memory=memory)
        train, held = found.train.batches(200), found.validation.batches(200, shuffle=False)
        for _ in itertools.islice(zip(train(epoch=0), held(epoch=0), strict=False), 3):  # when the buffers are full
            pass
        return found

    read(path, "sold", 10**6)  # what is loaded once
    usual = pyarrow.default_memory_pool()
    pool = pyarrow.proxy_memory_pool(usual)  # which remembers its own peak
    pyarrow.set_memory_pool(pool)
    tracemalloc.start()
    try:
        found = read(tmp_path / "large.parquet", "y", 1_100_000)
        peak = tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pyarrow.set_memory_pool(usual)
    assert found.buffer_rows < len(found.train) // 4
    assert pool.max_memory() > 0 and peak <= 1_100_000


def test_texts_that_do_not_fit_into_the_memory_are_refused(tmp_path: Path) -> None:
    texts = [f"{i} {'x' * 400}" for i in range(2000)]
    columns = {"size": list(range(2000)), "said": texts, "y": ["a", "b"] * 1000}
    parquet.write_table(pyarrow.table(columns), tmp_path / "wide.parquet", row_group_size=100)
    options: dict[str, Any] = {"target": "y", "memory": 700_000}
    with pytest.raises(ConfigurationError, match=r"'said' holds more different texts .* drop=\['said'\]"):
        datasets.stream(tmp_path / "wide.parquet", **options)
    assert len(datasets.stream(tmp_path / "wide.parquet", drop=["said"], **options).feature_names) == 1
    parquet.write_table(pyarrow.table(columns), tmp_path / "wide.parquet", row_group_size=2000)
    with pytest.raises(ConfigurationError, match=r"row groups of 3 columns takes [0-9] MB; .* smaller row groups"):
        datasets.stream(tmp_path / "wide.parquet", drop=["said"], **options)
    (tmp_path / "long.csv").write_text("x,y\n" + "1,2\n" * 30_000)
    with pytest.raises(ConfigurationError, match=r"long\.csv takes at least 1 MB .* read whole; write memory="):
        datasets.stream(tmp_path / "long.csv", memory="300KB")
