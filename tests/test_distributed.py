"""Data parallel training: the same bits on any number of ranks, what is refused, how a run ends when a rank does."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import (
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Dense,
    Dropout,
    MeanSquaredError,
    Model,
    ReLU,
    SoftmaxCrossentropy,
    Tanh,
    cli,
    datasets,
    layers,
    rows,
)
from chainrule.datasets import disktable, shards
from chainrule.distributed import ALONE, Team, sums
from chainrule.distributed.pieces import added, nodes_of, pieces_of, share_of
from chainrule.errors import ConfigurationError, NonFiniteError
from chainrule.ranks import watch
from chainrule.ranks.arrivals import Arrivals
from ranks import long, same
from ranks.threads import on_ranks

RANKS = Path(__file__).parent / "ranks"


@pytest.fixture
def team_of_thread(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """`run()` on some ranks that are threads; inside, `fit(distributed=True)` finds the thread's team."""
    own = threading.local()

    @contextlib.contextmanager
    def working(distributed: bool, deterministic: bool = True) -> Iterator[Team]:
        yield getattr(own, "team", Team()) if distributed else ALONE

    for place in ("chainrule.model", "chainrule.datasets.streaming"):
        monkeypatch.setattr(f"{place}.working", working)

    def call(size: int, run: Callable[[int], Any], deterministic: bool = True) -> list[Any]:
        def one(team: Team) -> Any:
            own.team = team
            return run(team.rank)

        return on_ranks(size, one, deterministic)

    return call


def outcomes(dtype: str) -> list[str]:
    return [same.outcome(name, model, model.fit(*data, **options)) for name, model, data, options in same.runs(dtype)]


def small(**settings: Any) -> Model:
    return Model([Dense(4, 5), ReLU(), Dropout(0.1), Dense(5, 3)], SoftmaxCrossentropy(), Adam(0.01), **settings)


X = np.random.default_rng(1).normal(size=(40, 4))
Y = np.arange(40) % 3


# The same bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_ranks_trains_to_the_same_bits(dtype: str, team_of_thread: Any) -> None:
    alone = outcomes(dtype)
    for size in (2, 3, 4, 9):
        for found in team_of_thread(size, lambda rank: outcomes(dtype)):
            assert found == alone


ALL = ["LayerNorm", "BatchNorm", "Dropout", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softmax"]


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_layer_is_cut_and_put_together(name: str, team_of_thread: Any) -> None:
    X = np.random.default_rng(0).normal(size=(29, 5))
    kind = getattr(layers, name)

    def trained(rank: int) -> str:
        layer = kind(5) if name.endswith("Norm") else kind(0.4) if name == "Dropout" else kind()
        model = Model([Dense(5, 5), layer, Dense(5, 1)], MeanSquaredError(), SGD(0.1, momentum=0.9), dtype="float64")
        return same.outcome(
            name, model, model.fit(X, X[:, :1], epochs=2, batch_size=10, verbose=False, distributed=True)
        )

    alone = trained(0)
    assert team_of_thread(3, trained) == [alone] * 3


def test_what_the_pieces_give_is_what_the_reference_gives(team_of_thread: Any) -> None:
    for apart, together in zip(same.runs("float64"), same.runs("float64"), strict=True):
        name, pieces, data, options = apart
        pieces.fit(*data, **options)
        _, whole, data, options = together
        whole.fit(*data, **options | {"distributed": False, "engine": "numpy"})
        for key, array in whole.run.values.items():
            np.testing.assert_allclose(pieces.run.values[key], array, rtol=1e-7, atol=1e-7, err_msg=f"{name} {key}")


@pytest.mark.parametrize("frozen", [(), ("dense_0",), ("dense_0", "dense_1")])
def test_large_gradients_are_added_in_parts_and_those_that_nobody_reads_left_out(
    frozen: tuple[str, ...], team_of_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "_ENTRIES", 64)  # 16 rows of a gradient
    X = np.random.default_rng(0).normal(size=(37, 35))

    def trained(rank: int, **options: Any) -> dict[str, Any]:
        body = [Dense(35, 21), ReLU(), Dense(21, 5), Tanh(), Dense(5, 3)]
        model = Model(body, SoftmaxCrossentropy(), SGD(0.1), dtype="float64")
        for name in frozen:
            model.network[name].freeze()
        model.fit(X, np.arange(37) % 3, epochs=3, batch_size=16, verbose=False, **options or {"distributed": True})
        return dict(model.parameters)

    alone, reference = trained(0), trained(0, engine="numpy")
    for found in team_of_thread(3, trained):
        for name, array in alone.items():
            assert (found[name] == array).all()
            np.testing.assert_allclose(array, reference[name], rtol=1e-9, atol=1e-12)


def test_mpi_may_add_in_its_own_order(team_of_thread: Any) -> None:
    def trained(rank: int) -> Any:
        _, model, data, options = next(same.runs("float64"))
        model.fit(*data, **options)
        return dict(model.run.values)

    alone, *others = trained(0), *team_of_thread(3, trained, deterministic=False)
    for other, name in itertools.product(others, alone):
        np.testing.assert_allclose(other[name], alone[name], rtol=1e-12)


@given(st.integers(1, 2000), st.integers(1, 12), st.integers(0, 99))
def test_a_sum_in_parts_has_the_bits_of_the_whole(samples: int, size: int, seed: int) -> None:
    pieces = pieces_of(samples)
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == list(range(samples))
    leaves = {(i, i + 1): x for i, x in enumerate(np.random.default_rng(seed).normal(size=(len(pieces), 3)))}
    count, parts = len(pieces), {}
    for rank in range(size):
        for node in nodes_of(share_of(count, rank, size), 0, count):
            parts[node] = added(leaves, *node)
    assert (added(parts, 0, count) == added(leaves, 0, count)).all()


# Data that are not held in memory


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A table of 600 rows, as one Parquet file of 13 row groups and as five shards of text."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("tables")
    columns = {
        "size": np.round(rng.normal(3, 2, 600), 4).tolist(),
        "colour": [["red", "blue", "green"][i] for i in rng.integers(0, 3, 600)],
        "late": [None] * 500 + [f"town {i % 4}" for i in range(100)],  # most row groups have none
        "sold": np.where(rng.normal(size=600) > 0, "yes", "no").tolist(),
    }
    parquet.write_table(pyarrow.table(columns), folder / "table.parquet", row_group_size=47)
    lines = [",".join("" if v is None else str(v) for v in row) for row in zip(*columns.values(), strict=True)]
    (folder / "shards").mkdir()
    for i, start in enumerate(range(0, 600, 120)):
        text = "\n".join([",".join(columns), *lines[start : start + 120]])
        (folder / "shards" / f"{i}.csv").write_text(text + "\n")
    return {"Parquet": folder / "table.parquet", "text": folder / "shards"}


def streamed(path: Path, memory: str) -> tuple[str, str]:
    """What is learned from a table, the order of its rows, and what a run on them leaves behind."""
    found = datasets.stream(path, target="sold", missing="impute", memory=memory, distributed=True)
    model = Model([Dense(len(found.feature_names), 6), ReLU(), Dense(6, 2)], SoftmaxCrossentropy(), Adam(0.01))
    held = found.validation.batches(50, shuffle=False)
    history = model.fit(found.train.batches(24), epochs=2, validation_data=held, verbose=False, distributed=True)
    rows = [X.tobytes() + y.tobytes() for X, y in found.train.batches(24)(epoch=1)]
    test = [X.tobytes() for X, _ in found.test.batches(50, shuffle=False)(epoch=0)]
    learned = f"{found.preprocessing} {found.notes} {rows} {test} {found.test.targets()} "
    return learned + str(model.evaluate(found.test.batches(50))), same.outcome("", model, history)


@pytest.mark.parametrize("kind", ["Parquet", "text"])
@pytest.mark.parametrize(("memory", "sizes"), [("1MB", (2, 3, 4)), ("little", (3,))])
def test_ranks_that_read_a_part_each_have_the_bits_of_one_that_reads_all(
    kind: str, memory: str, sizes: tuple[int, ...], tables: dict[str, Path], team_of_thread: Any
) -> None:
    """With little memory lanes are few, and rows are shuffled in a small buffer."""
    memory = {"Parquet": "50KB", "text": "85KB"}[kind] if memory == "little" else memory
    alone = streamed(tables[kind], memory)
    for size in sizes:
        assert team_of_thread(size, lambda rank: streamed(tables[kind], memory)) == [alone] * size


def test_no_row_group_is_read_by_two_ranks(
    tables: dict[str, Path], team_of_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[int, set[int]] = {}
    parts_of = shards.parts_of

    def noted(pieces: Any, *arguments: Any) -> Any:
        read.setdefault(threading.get_ident(), set()).update(piece.group for piece in pieces)
        return parts_of(pieces, *arguments)

    for module in (shards, disktable):
        monkeypatch.setattr(module, "parts_of", noted)
    team_of_thread(3, lambda rank: streamed(tables["Parquet"], "1MB"))
    assert sorted(group for each in read.values() for group in each) == list(range(13)) and len(read) == 3


def test_a_rank_reads_its_own_rows_of_a_file_that_stays_on_disk(
    team_of_thread: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(given: Any, epochs: int = 2) -> str:
        model = Model([Dense(4, 5), BatchNorm(5), ReLU(), Dense(5, 3)], SoftmaxCrossentropy(), Adam(0.01))
        options: dict[str, Any] = dict(batch_size=16, validation_split=0.1, class_weights="balanced", verbose=False)
        return same.outcome("", model, model.fit(given, Y, epochs=epochs, distributed=True, **options))

    def read_by_three(epochs: int) -> int:
        read.clear()
        found = team_of_thread(3, lambda rank: trained(np.load(tmp_path / "X.npy", mmap_mode="r"), epochs))
        assert found == [alone if epochs == 2 else found[0]] * 3
        return sum(read)

    np.save(tmp_path / "X.npy", X)
    alone, read = trained(X.astype(np.float32)), list[int]()
    take = rows.Rows.__getitem__
    monkeypatch.setattr(rows, "_LARGE", 0)
    monkeypatch.setattr(rows.Rows, "__getitem__", lambda own, at: [read.append(len(found := take(own, at))), found][1])
    assert trained(np.load(tmp_path / "X.npy", mmap_mode="r")) == alone
    assert read_by_three(4) - read_by_three(2) == 2 * 36 + 2 * 3 * 4  # in an epoch: 36 to train on, and 4 on each rank


def test_batches_of_your_own_train_to_the_bits_of_the_arrays_they_are_cut_from(team_of_thread: Any) -> None:
    def trained(given: Any, **options: Any) -> str:
        model = small()
        return same.outcome("", model, model.fit(*given, epochs=2, verbose=False, distributed=True, **options))

    held = (X[:9], Y[:9])
    alone = trained((X, Y), batch_size=16, shuffle=False, validation_data=held)
    batches = [(X[i : i + 16], Y[i : i + 16]) for i in (0, 16, 32)]
    ways = [lambda: (batches,), lambda: (lambda epoch: iter(batches),), lambda: (iter(batches * 2),)]
    for way, options in zip(ways, ({}, {}, {"steps_per_epoch": 3}), strict=True):
        found = team_of_thread(3, lambda rank: trained(way(), validation_data=[held], **options))  # noqa: B023
        assert found == [alone] * 3


LATER: dict[str, tuple[Any, Any, str]] = {
    "other samples": ([(X, Y), (X[:5] + 1, Y[:5])], None, "rank 1 of 2 has another batch in steps 1 to 2"),
    "fewer batches": ([(X, Y)], None, "rank 1 of 2 has another batch in steps 1 to 1 at the end of an epoch"),
    "less to validate on": ([(X, Y), (X[:5], Y[:5])], [(X, Y)], "another batch 1 of epoch 2 in validation_data"),
}


@pytest.mark.parametrize("case", LATER)
def test_a_rank_whose_later_batches_differ_is_refused(case: str, team_of_thread: Any) -> None:
    """All ranks raise the same error: none waits for another."""
    batches, held, words = LATER[case]
    usual = [(X, Y), (X[:5], Y[:5])]

    def trained(rank: int) -> Any:
        given, validation = (batches, held or usual) if rank else (usual, usual)
        small().fit(given, epochs=2, verbose=False, validation_data=validation, distributed=True)

    for error in team_of_thread(2, trained):
        assert isinstance(error, ConfigurationError) and words in str(error)


# One rank's part in the others' run


class Heard(Callback):
    """Who called it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self, fit: Any) -> None:
        self.calls.append("begin")

    def epoch(self, fit: Any) -> None:
        self.calls.append(f"epoch {fit.run.epoch}")
        if fit.run.epoch == 2:
            raise KeyboardInterrupt

    def end(self, fit: Any) -> None:
        self.calls.append("end")


def test_callbacks_are_rank_0s_and_all_stop_where_it_stops(team_of_thread: Any, capsys: Any) -> None:
    def trained(rank: int) -> Any:
        heard = Heard()
        history = small().fit(X, Y, epochs=5, callbacks=[heard], distributed=True)
        return heard.calls, history.stopped, len(history)

    found = team_of_thread(3, trained)
    assert found[0] == (["begin", "epoch 1", "epoch 2", "end"], "interrupted", 2)
    assert found[1:] == [([], "interrupted", 2)] * 2
    assert capsys.readouterr().out.count("Distributed: 3 ranks, a batch is 4 pieces.") == 1


def test_a_run_goes_on_with_another_number_of_ranks(team_of_thread: Any, tmp_path: Path) -> None:
    def trained(path: Path, epochs: int) -> Callable[[int], str]:
        def run(rank: int) -> str:
            model = small()
            options: dict[str, Any] = {"checkpoint": path, "resume": True, "verbose": False, "distributed": True}
            return same.outcome("", model, model.fit(X, Y, epochs=epochs, batch_size=15, **options))

        return run

    whole = trained(tmp_path / "whole", 6)(0)
    for epochs, size in ((2, 3), (4, 2)):
        team_of_thread(size, trained(tmp_path / "parts", epochs))
    assert team_of_thread(4, trained(tmp_path / "parts", 6)) == [whole] * 4


def test_numbers_that_are_not_finite_stop_every_rank_alike(team_of_thread: Any) -> None:
    def trained(rank: int) -> Any:
        model = Model([Dense(4, 5), ReLU(), Dense(5, 3)], SoftmaxCrossentropy(), SGD(1e38))
        return model.fit(X, Y, epochs=5, verbose=False, distributed=True)

    found = team_of_thread(2, trained)
    assert all(isinstance(error, NonFiniteError) for error in found) and str(found[0]) == str(found[1])


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("set of data", dict(X=X + 1)),
        ("number of samples", dict(X=X[:39], y=Y[:39])),
        ("network", dict(model=lambda: Model([Dense(4, 3)], SoftmaxCrossentropy(), Adam(0.01)))),
        ("set of parameters", dict(model=lambda: small(seed=1))),
        ("batch_size", dict(batch_size=8)),
    ],
)
def test_a_rank_that_differs_is_refused_before_the_first_step(what: str, change: Any, team_of_thread: Any) -> None:
    def trained(rank: int) -> Any:
        given: dict[str, Any] = {"X": X, "y": Y, "model": small, "batch_size": 16} | (change if rank == 2 else {})
        model, begun = given.pop("model")(), Heard()
        model.fit(**given, callbacks=[begun], verbose=False, distributed=True)

    for error in team_of_thread(3, trained):
        assert isinstance(error, ConfigurationError)
        assert "rank 2 of 3 has another" in str(error) and "\n" not in str(error)
    assert what in str(error) or what == "set of parameters"


def test_other_engines_are_refused() -> None:
    with pytest.raises(ConfigurationError, match='leave engine="auto"'):
        small().fit(X, Y, engine="jax", distributed=True)


def test_the_shell_trains_one_rank_without_mpirun(tmp_path: Path, capsys: Any) -> None:
    arguments = ["train", "iris", "--epochs", "2", "--distributed", "--json", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as end:
        cli.app(arguments)
    assert end.value.code == 0
    cli.app(["train", "iris", "--epochs", "2", "--distributed", "--recipe"], standalone_mode=False)
    assert "distributed=True" in capsys.readouterr().out


# Under mpirun

MPIRUN = Path(sys.executable).with_name("mpirun")
WHY_NOT = (
    None
    if importlib.util.find_spec("mpi4py") and (MPIRUN.exists() or shutil.which("mpirun"))
    else 'mpi4py and mpirun are missing: pip install "chainrule[mpi]"'
)
under_mpirun = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


class Job:
    """`mpirun -n SIZE` of a program of tests/ranks; `said` is what its ranks print on standard output."""

    def __init__(self, size: int, program: str, *arguments: str, **environment: str) -> None:
        command = [str(MPIRUN) if MPIRUN.exists() else "mpirun", "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none"]
        root = {
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_mpi_yield_when_idle": "1",
        }
        self.process = subprocess.Popen(
            [*command, "-n", str(size), sys.executable, str(RANKS / program), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | root | environment,
        )  # fmt: skip
        self.lines: list[str] = []
        self.errors = ""

    def until(self, beginning: str) -> None:
        """Read what it says up to a line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return
        pytest.fail(f"it never said {beginning!r}: {self.lines} {self.process.stderr.read()}")  # type: ignore[union-attr]

    def number(self, rank: int) -> int:
        """The process number of a rank, which it has said."""
        return next(int(line.split()[2]) for line in self.lines if line.startswith(f"rank {rank} "))

    def end(self) -> tuple[int, list[str], list[str]]:
        """Exit code, what it said, and what the library said of errors."""
        out, self.errors = self.process.communicate(timeout=60)
        own = [line for line in self.errors.splitlines() if line.startswith("chainrule:")]
        return self.process.returncode, self.lines + out.splitlines(), own


@under_mpirun
def test_mpirun_gives_the_bits_of_one_rank() -> None:
    code, said, _ = Job(3, "same.py", "float32").end()
    assert (code, said) == (0, outcomes("float32"))


@under_mpirun
def test_a_killed_rank_ends_the_run_which_goes_on_bit_for_bit(tmp_path: Path) -> None:
    job = Job(3, "long.py", str(tmp_path / "killed"), "500")
    job.until("epoch 3")
    os.kill(job.number(1), signal.SIGKILL)
    begin = time.monotonic()
    code, _, errors = job.end()
    assert code != 0 and time.monotonic() - begin < 30
    assert len(errors) == 1 and errors[0].startswith("chainrule: rank 1 of 3 died at step ")
    resumed = Job(2, "long.py", str(tmp_path / "killed"), "5", "resume").end()[1]
    assert resumed[-1] == long.trained(str(tmp_path / "whole"), 5)


@under_mpirun
def test_a_rank_that_has_not_started_is_named() -> None:
    code, _, errors = Job(3, "long.py", "", "1", "late", "1", CHAINRULE_PATIENCE="3").end()
    assert code != 0
    assert errors == ["chainrule: rank 1 of 3 has not started after 6 s; the others waited, at step 0."]


@under_mpirun
def test_a_refusal_is_one_line_of_rank_0_and_no_traceback(tmp_path: Path) -> None:
    job = Job(3, "long.py", str(tmp_path / "file"), "1", "other", "2")
    code, _, errors = job.end()
    assert code != 0 and len(errors) == 1 and "rank 2 of 3 has another" in errors[0]
    assert "Traceback" not in job.errors


def test_who_is_absent_is_said_as_well_as_it_is_known() -> None:
    def said(present: list[int], **environment: str) -> str:
        return Arrivals({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"} | environment).absent(present)

    near = {"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}
    assert said([0, 2, 3], **near) == "rank 1 of 4 has not started"
    assert said([0], **near) == "ranks 1, 2 and 3 of 4 have not started"
    assert said([0, 1, 2, 3], **near) == "all 4 ranks have started, and MPI does not join them"
    assert said([0], OMPI_COMM_WORLD_LOCAL_SIZE="2").startswith("1 of the 2 ranks of ")
    assert said([0, 1], OMPI_COMM_WORLD_LOCAL_SIZE="2").startswith("not every one of the 4 ranks has started; those of")
    assert said([], **near) == said([0]) == "not every one of the 4 ranks has started"


@under_mpirun
@pytest.mark.parametrize(("fault", "line"), [("early", "stopped at step 0: ValueError"), ("raise", "No space left")])
def test_an_error_of_one_rank_ends_the_others_with_a_line(fault: str, line: str, tmp_path: Path) -> None:
    culprit = "1" if fault == "early" else "0"
    code, _, errors = Job(2, "long.py", str(tmp_path / "file"), "500", fault, culprit).end()
    assert code != 0 and len(errors) == 1
    assert f"rank {culprit} of 2" in errors[0] and line in errors[0]


@under_mpirun
def test_a_stopped_rank_ends_the_run_and_a_long_callback_does_not(tmp_path: Path) -> None:
    job = Job(2, "long.py", str(tmp_path / "file"), "500", "long", "0", CHAINRULE_PATIENCE="3")
    job.until("epoch 3")  # after six seconds in a callback
    os.kill(job.number(1), signal.SIGSTOP)
    code, _, errors = job.end()
    assert code != 0 and len(errors) == 1
    assert errors[0].startswith("chainrule: rank 1 of 2 has not been heard of for 3 s, since step ")


def test_a_rank_0_that_was_stopped_and_wakes_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who judged it has told it so, before it was gone itself."""
    said, ended = list[str](), list[int]()
    monkeypatch.setattr(watch, "say", said.append)
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(watch.os, "_exit", ended.append)
    one, other = socket.socketpair()
    leader, judge = watch.Watch(0, 2, {1: one}), watch.Watch(1, 2, {0: other})
    judge._judge_leader(time.monotonic() + 60)
    assert len(said) == 1 and said[0].startswith("rank 0 of 2 has not been heard of for 15 s") and ended == [1]
    other.close()
    leader._listen(leader.peers[1])  # what lies in the wire comes before its end
    assert ended == [1, 1] and not leader.peers[1].closed and len(said) == 1
    one.close()


@under_mpirun
@pytest.mark.parametrize("who", ["a rank", "mpirun"])
def test_a_signal_ends_all_ranks_with_a_checkpoint_in_ten_seconds(who: str, tmp_path: Path) -> None:
    job = Job(2, "long.py", str(tmp_path / "file"), "500")
    job.until("epoch 3")
    begin = time.monotonic()
    os.kill(*(job.number(1), signal.SIGTERM) if who == "a rank" else (job.process.pid, signal.SIGUSR1))
    code, said, errors = job.end()
    assert time.monotonic() - begin < 10
    assert (code, errors) == (0, []) and said[-1].endswith("interrupted")
    assert job.errors.count("Stopped at step") == 1  # by rank 0
    epochs = sum(line.startswith("epoch") for line in said)
    assert Model.load(tmp_path / "file").run.epoch == epochs
