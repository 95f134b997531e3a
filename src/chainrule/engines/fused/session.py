"""The fused engine at work on a task: flat arrays for the compiled function, and the threads that run it."""

from __future__ import annotations

import math
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...layer import Arrays
from ..contract import Block, Outcome, Task
from . import kernel as k
from .blas import address_of_gemm, address_of_yield
from .cache import cached
from .program import LOSSES, NotCovered, compile_network, segments_of
from .threads import ABORT, SPACING

__all__ = ["FusedSession"]

_WORK_FOR_THREADS = 2**20  # multiplications in a forward pass from which on two threads pay
_CACHE_BYTES = 2**19  # what outputs and gradients of a tile of samples may take
_SLOTS = {"velocity": 0, "momentum": 0, "cache": 1}  # in M or in V


class FusedSession:
    """Raises `NotCovered` for a task that the compiled function cannot carry out."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        if type(task.loss) not in LOSSES:
            raise NotCovered(f"the loss {type(task.loss).__name__}")
        self.task, self.dtype = task, task.X.dtype
        gemm, wide = address_of_gemm("s" if self.dtype == np.float32 else "d")
        self.program = program = compile_network(task, bool(gemm))
        self.segments = segments_of(task, program.places)
        self.names = task.network.trainable_names()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        large = program.work * task.batch_size >= _WORK_FOR_THREADS and task.batch_size >= 32
        self.threads = 2 if large and cores > 1 and not program.mixes else 1
        self._lay_out(gemm, wide)
        self._targets()
        self.function = cached(self.dtype)
        self.load(values, slots)

    def _lay_out(self, gemm: int, wide: bool) -> None:
        """The arrays of samples, and what the compiled function needs to know."""
        task, program = self.task, self.program
        share = -(-task.batch_size // self.threads // 16) * 16 if self.threads > 1 else -(-task.batch_size // 16) * 16
        share = min(-(-task.batch_size // 16) * 16, share + (16 if self.threads > 1 else 0))
        fits = _CACHE_BYTES // (2 * program.rows * self.dtype.itemsize) // 16 * 16
        blas = bool(program.table[:, k.BLAS].any())
        tile = share if blas or program.mixes else min(share, max(64, fits))
        self.stride = tile + (0 if tile // 16 % 2 else 16)  # rows on an odd number of cache lines apart
        self.A = np.zeros(self.threads * program.rows * self.stride, self.dtype)
        self.D = np.zeros_like(self.A)
        outputs = task.outputs
        self.T = np.zeros(self.threads * (outputs + 1) * self.stride, self.dtype)
        rows = self.A.reshape(self.threads, program.rows, self.stride)
        rows[:, program.ones] = 1
        ops = program.table.copy()
        for column in (k.IN, k.OUT, k.KEPT):
            ops[:, column] *= self.stride
        ops[ops[:, k.KIND] == k.PRODUCT, k.OTHER] *= self.stride
        self.ops, plan = ops, np.zeros(k.SETTINGS, np.int64)
        optimizer, still = task.optimizer, task.batch_size == task.samples and tile >= task.batch_size
        settings = {
            k.PER_EPOCH: task.steps_per_epoch, k.BATCH: task.batch_size, k.SAMPLES: task.samples,
            k.INPUTS: math.prod(task.X.shape[1:]), k.CLASSES: outputs, k.SIZE: program.size, k.STRIDE: self.stride,
            k.TILE: tile, k.LOSS: LOSSES[type(task.loss)], k.MEAN: task.loss.reduction == "mean", k.GEMM: gemm,
            k.WIDE: wide, k.YIELD: address_of_yield(), k.SEED: task.seed, k.X_BY_SAMPLES: program.by_samples,
            k.Z_ROW: program.output * self.stride, k.WEIGHTED: task.weights is not None, k.PARTS: self.threads,
            k.LIMITED: optimizer.clip_norm is not None, k.STILL: still and self.threads == 1,
        }  # fmt: skip
        for index, value in settings.items():
            plan[index] = value
        self.plan = plan

    def _targets(self) -> None:
        task, loss = self.task, self.task.loss
        numbers = np.zeros(6)
        clip = getattr(loss, "clip", None)
        numbers[k.LOSS_NUMBER] = getattr(loss, "delta", 0.0) if clip is None else clip
        numbers[k.LOSS_TOP] = 1 - max(clip or 0.0, float(np.finfo(self.dtype).eps) / 2)
        smoothing = getattr(loss, "label_smoothing", 0.0)
        numbers[k.ON], numbers[k.OFF] = 1 - smoothing + smoothing / task.outputs, smoothing / task.outputs
        bound = task.optimizer.clip_norm, task.optimizer.clip_value
        numbers[k.CLIP_NORM], numbers[k.CLIP_VALUE] = (math.inf if limit is None else limit for limit in bound)
        self.numbers, self.labels = numbers, np.zeros(0, np.int64)
        encoded: Any = task.encoded
        if encoded is None and task.y.ndim == 1 and loss.metric == "accuracy" and task.outputs > 1:
            self.labels, encoded = task.y.astype(np.int64), np.zeros(0, self.dtype)
            self.plan[k.LABELLED] = 1
        elif encoded is None:
            encoded = np.concatenate([task.targets(slice(i, i + 4096)) for i in range(0, task.samples, 4096)])
        self.encoded = np.ascontiguousarray(encoded, self.dtype).reshape(-1)
        self.X = np.ascontiguousarray(task.X).reshape(-1)
        self.weights = np.zeros(0) if task.weights is None else np.ascontiguousarray(task.weights, np.float64)

    def load(self, values: Arrays, slots: Arrays) -> None:
        program = self.program
        self.P = np.zeros(program.total, self.dtype)
        self.G = np.zeros(self.threads * program.size, self.dtype)
        kinds = {name.rpartition(".")[2] for name in slots}
        self.M, self.V = (
            np.zeros(program.size if any(_SLOTS[kind] == i for kind in kinds) else 0, self.dtype) for i in (0, 1)
        )
        for name, (begin, end) in program.places.items():
            self.P[begin:end] = values[name].ravel()
        self.shapes = {name: value.shape for name, value in values.items()}
        self.slot_names = list(slots)
        for name, value in slots.items():
            self._slot(name)[:] = value.ravel()

    def _slot(self, name: str) -> NDArray[Any]:
        own, _, kind = name.rpartition(".")
        begin, end = self.program.places[own]
        return (self.M, self.V)[_SLOTS[kind]][begin:end]

    def run(self, block: Block) -> Outcome:
        task, plan = self.task, self.plan
        plan[k.STEP], plan[k.STEPS], plan[k.FIRST] = block.step, block.steps, block.first
        plan[k.SHUFFLED], plan[k.PREDICT] = block.order is not None, block.predict
        order = np.zeros(0, np.int64) if block.order is None else block.order.reshape(-1)
        sizes = [size for _, size in block.batches(task)] if block.predict else []
        predictions = np.zeros(sum(sizes) * task.outputs, self.dtype)
        losses, penalties = np.zeros(block.steps), np.zeros(block.steps)
        counters, partial = np.zeros((self.threads + 1) * SPACING, np.int64), np.zeros((self.threads, 8))
        arguments = (
            self.threads, plan, self.numbers, self.ops, self.program.numbers, self.segments.table,
            self.segments.settings, np.ascontiguousarray(block.rates), self.X, self.encoded, self.labels, self.weights,
            order, self.P, self.G, self.M, self.V, self.A, self.D, self.T, losses, penalties, predictions, counters,
            partial,
        )  # fmt: skip
        done = self._call(arguments, counters)
        met = predictions.reshape(-1, task.outputs) if block.predict else None
        return Outcome(done, losses[:done], penalties[:done], met)

    def _call(self, arguments: tuple[Any, ...], counters: NDArray[np.int64]) -> int:
        if self.threads == 1:
            return int(self.function(0, *arguments))
        from ...blasthreads import one_thread

        helper = threading.Thread(target=self.function, args=(1, *arguments), daemon=True)
        with one_thread():
            helper.start()
            try:
                return int(self.function(0, *arguments))
            except BaseException:
                counters[ABORT] = 1  # Ctrl-C before this thread's own call: the other must not wait for it
                raise
            finally:
                helper.join()

    def values(self) -> Arrays:
        return {name: self.P[slice(*self.program.places[name])].reshape(s).copy() for name, s in self.shapes.items()}

    def slots(self) -> Arrays:
        return {n: self._slot(n).reshape(self.shapes[n.rpartition(".")[0]]).copy() for n in self.slot_names}

    def gradient_squares(self) -> dict[str, float]:
        places = self.program.places
        return {n: float(np.sum(np.square(self.G[slice(*places[n])], dtype=np.float64))) for n in self.names}
