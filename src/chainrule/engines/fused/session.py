"""The fused engine at work on a task: the arrays that the kernels work on, and the one structure that names them."""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...graph import Graph
from ...layer import Arrays
from ..contract import Block, Outcome, Task
from ..records import Records
from . import library
from .alignment import address, aligned_zeros
from .cores import cores
from .inference import Inference
from .layout import DEFINES, ENUMS, Call
from .pieces import parts_of, pieces_of, read_by_rows, spaced
from .program import compiled, loss_of

__all__ = ["FusedSession", "open_session"]

_SLOTS = {"velocity": "M", "momentum": "M", "cache": "V"}
_KEPT_BYTES = 2**22  # of a session at rest

# A session for each network whose last run is over: a run of few steps takes less time than its session takes to make
_RESTING: weakref.WeakKeyDictionary[Graph, FusedSession] = weakref.WeakKeyDictionary()


def open_session(task: Task, values: Arrays, slots: Arrays) -> FusedSession:
    """The session that rests, where it fits the task, else a new one. Raises `NotCovered`."""
    session = _RESTING.pop(task.network, None)
    if session is None or session.made_from != _made_from(task):
        return FusedSession(task, values, slots)
    session.begin(task, values, slots)
    return session


def _made_from(task: Task) -> tuple[Any, ...]:
    """What the layout of a session follows from; all else is taken in when it begins. Programs are equal if the same.

    The network's settings and the shape of a sample are in the program.
    """
    return id(compiled(task)[0]), task.samples, task.batch_size, task.X.dtype, cores()


class FusedSession:
    """Raises `NotCovered` for a task that the kernels cannot carry out."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        self.dtype, self.made_from = task.X.dtype, _made_from(task)
        self.program, self.names = compiled(task)[0], task.network.trainable_names()
        self.pieces = pieces_of(task, self.program)
        self.parts = parts_of(self.program, self.pieces.whole)
        self.threads = min(cores(), self.pieces.count(task.batch_size), DEFINES["THREADS"])
        self.block = getattr(library.load(), f"block_{self.dtype.name}")
        self.block.restype, self.block.argtypes = ctypes.c_int64, (ctypes.POINTER(Call),)
        # The arrays that the run points to: those of the layout, and those of the task and its blocks
        self.held: dict[str, NDArray[Any]] = {}
        self.lent: dict[str, NDArray[Any]] = {}
        self.call = Call()
        self._areas(task)
        self.settings: tuple[Any, ...] = ()
        self.inference: Inference | None = None
        self._place(values, slots)
        self.begin(task, values, slots)

    def begin(self, task: Task, values: Arrays, slots: Arrays) -> None:
        """Take in a task of the same layout: data, loss, optimizer and seed."""
        self.task = task
        # of the same objects, which nobody changes: a loss, and segments, which follow from the optimizer
        settings = id(task.loss), id(compiled(task)[1]), task.seed, task.y.dtype
        if settings != self.settings:
            self._task()
            self.settings, self.loss = settings, task.loss  # held, so that no other gets its id
        self._data()
        self.load(values, slots)

    def feed(self) -> None:
        self._data()

    def close(self) -> None:
        """Rest, without the data, until another task of the same layout comes."""
        network = self.task.network
        del self.task
        self.inference = None
        self.lent.clear()
        if self.bytes <= _KEPT_BYTES:
            _RESTING[network] = self

    def _hold(self, **members: Any) -> None:
        """Numbers and arrays of the layout, by the names of the run's members."""
        _set(self.call, self.held, members)

    def _lend(self, **members: Any) -> None:
        """Numbers and arrays of the task, or of a block; None is a null pointer."""
        _set(self.call, self.lent, members)

    def _task(self) -> None:
        task, loss, optimizer = self.task, self.task.loss, self.task.optimizer
        segments = compiled(task)[1]
        clip, smoothing = getattr(loss, "clip", None), getattr(loss, "label_smoothing", 0.0)
        on, off = 1 - smoothing + smoothing / task.outputs, smoothing / task.outputs
        metric = "absolute_error" if loss.metric != "accuracy" else "class_accuracy"
        if metric == "class_accuracy" and not hasattr(loss, "class_weights"):
            metric = "answer_accuracy"
            answers = loss.prepare(np.array([[1], [0]], task.y.dtype), (2, 1), None, self.dtype)[0]
            on, off = float(answers[0, 0]), float(answers[1, 0])
        self._hold(
            samples=task.samples, inputs=math.prod(task.X.shape[1:]), outputs=task.outputs, batch=task.batch_size,
            per_epoch=task.steps_per_epoch, seed=task.seed, loss=loss_of(task), mean=loss.reduction == "mean",
            metric=ENUMS["Metric"][metric], loss_number=getattr(loss, "delta", 0.0) if clip is None else clip,
            loss_top=1 - max(clip or 0.0, float(np.finfo(self.dtype).eps) / 2), on=on, off=off,
            clip_norm=math.inf if optimizer.clip_norm is None else optimizer.clip_norm,
            clip_value=math.inf if optimizer.clip_value is None else optimizer.clip_value,
            segments=segments, segment_count=len(segments),
        )  # fmt: skip

    def _data(self) -> None:
        task, encoded = self.task, self.task.encoded
        classes = self.call.metric == ENUMS["Metric"]["class_accuracy"]
        labels = np.ascontiguousarray(task.loss.labels(task.y), np.int64) if classes else None
        labelled = encoded is None and task.y.ndim == 1 and classes and task.outputs > 1
        if encoded is None and not labelled:
            encoded = np.concatenate([task.targets(slice(i, i + 4096)) for i in range(0, task.samples, 4096)])
        self._lend(
            X=np.ascontiguousarray(task.X), labels=labels, labelled=labelled,
            targets=None if encoded is None else np.ascontiguousarray(encoded, self.dtype),
            weights=_doubles(task.weights), metric_weights=_doubles(task.metric_weights),
        )  # fmt: skip

    def _areas(self, task: Task) -> None:
        """The arrays of samples, and where everything lies in them."""
        program, cut, operations = self.program, self.pieces, self.program.operations.copy()
        operations["large"] = read_by_rows(operations)
        areas = 1 if cut.whole else self.threads
        rows, stride, pieces = program.rows, cut.stride, cut.count(task.batch_size)
        columns = 0
        for op in operations:  # samples as rows: with `whole` each layer's dvalues wait for the gradients
            own = spaced(int(op["outputs"])) if op["trains"] or op["large"] else 0
            op["turned"], columns = (columns, columns + own) if cut.whole else (0, max(columns, own))
        A, D = (aligned_zeros((areas, rows, stride), self.dtype) for _ in range(2))
        A[:, program.ones] = 1
        self._hold(
            rows=rows, turned_columns=columns, output=program.output, stride=stride, piece=cut.piece, tile=cut.tile,
            whole=cut.whole, still=task.batch_size == task.samples and (cut.whole or cut.tile >= task.batch_size),
            size=program.size, total=program.total, threads=self.threads,
            operation_count=len(operations), part_count=len(self.parts),
            watched_count=len(program.watched), trainable_count=len(self.names),
            unit_count=int(program.watched["units"].sum()), operations=operations, lines=program.lines,
            parts=self.parts, watched=program.watched, ties=program.ties, tie_count=len(program.ties), A=A, D=D,
            places=np.array([program.places[name] for name in self.names], np.int64).reshape(-1, 2),
            turned=aligned_zeros(areas * columns * stride, self.dtype),
            T=aligned_zeros((areas, task.outputs + 3, stride), self.dtype),
            sums=aligned_zeros(max(pieces, len(self.parts)) * 8, np.float64),
            meeting=aligned_zeros((max(pieces, len(self.parts)) + 3) * 8, np.int64),
            G=aligned_zeros((1 if cut.whole else pieces) * program.size, self.dtype),
        )  # fmt: skip

    def load(self, values: Arrays, slots: Arrays) -> None:
        program = self.program
        if self.own_values.keys() != values.keys() or self.own_slots.keys() != slots.keys():
            self._place(values, slots)
        for name, own in self.own_values.items():
            own[...] = values[name]
        for name, own in self.own_slots.items():
            own[...] = slots[name]
        P = self.held["P"]
        for copy, own in self.task.network.flat.ties.items():
            P[slice(*program.places[copy])] = P[slice(*program.places[own])]

    def _place(self, values: Arrays, slots: Arrays) -> None:
        """Room for values and slots, and the place of each in it."""
        program, shapes = self.program, {name: value.shape for name, value in values.items()}
        owners = {name: name.rpartition(".")[::2] for name in slots}
        kinds = {_SLOTS[kind] for _, kind in owners.values()}
        room = {"P": program.total} | {kind: program.size if kind in kinds else 0 for kind in ("M", "V")}
        self._hold(**{kind: aligned_zeros(size, self.dtype) for kind, size in room.items()})

        def place(kind: str, name: str) -> NDArray[Any]:
            begin, end = program.places[name]
            return self.held[kind][begin:end].reshape(shapes[name])

        self.own_values: Arrays = {name: place("P", name) for name in values}
        self.own_slots: Arrays = {name: place(_SLOTS[kind], own) for name, (own, kind) in owners.items()}
        self.bytes = sum(array.nbytes for array in self.held.values())

    def run(self, block: Block) -> Outcome:
        order = None if block.order is None else np.ascontiguousarray(block.order)
        self.call.samples = self.task.samples if order is None else order.shape[1]
        losses, penalties = np.zeros(block.steps), np.zeros(block.steps)
        self._lend(
            step=block.step, steps=block.steps, first=block.first, order=order, rates=np.ascontiguousarray(block.rates),
            losses=losses, penalties=penalties,
        )  # fmt: skip
        records = self._record(block)
        done = int(self.block(self.call))
        records = records if done == block.steps else None
        return Outcome(done, losses[:done], penalties[:done], records)

    def _record(self, block: Block) -> Records | None:
        """Room for the records of a block that asks for them."""
        epochs = -(-(block.first + block.steps) // self.task.steps_per_epoch)
        sizes = epochs, len(self.names), self.call.unit_count
        records = Records.empty(*sizes, block.begun) if block.record else None
        # in the order of the records' fields
        names = (
            "epoch_steps", "epoch_losses", "epoch_counts", "epoch_penalties", "epoch_metrics", "epoch_weights",
            "squares", "alive",
        )  # fmt: skip
        _set(self.call, self.lent, dict(zip(names, records or (None,) * len(names), strict=True)))
        return records

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Raises `NotCovered` where a layer of a user's own is another function in inference."""
        if self.inference is None:
            self.inference = Inference(self.task.network, X.shape[1:], self.dtype)
        return self.inference(self.held["P"], X)

    def values(self) -> Arrays:
        return {name: own.copy() for name, own in self.own_values.items()}

    def slots(self) -> Arrays:
        return {name: own.copy() for name, own in self.own_slots.items()}


def _set(call: Call, arrays: dict[str, NDArray[Any]], members: dict[str, Any]) -> None:
    """Numbers and arrays of a run, by the names of its members; what arrays it points to."""
    for name, value in members.items():
        if isinstance(value, np.ndarray):
            arrays[name] = value
            setattr(call, name, address(value))
        else:
            setattr(call, name, value)


def _doubles(weights: NDArray[Any] | None) -> NDArray[np.float64] | None:
    return None if weights is None else np.ascontiguousarray(weights, np.float64)
