"""One page's session: what the page asks for, done with the library, and answered as JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..backprop import Trace
from ..errors import ChainruleError, ConfigurationError, DataError
from ..explaining import Explanation, explain
from ..explaining.question import written_entry
from . import broken, guesses, setups, taking
from .frames import Frames
from .lessons import LESSONS, Setup
from .looks import badges, batch_strip, data_view, network_view, number, surface
from .messages import checked
from .telling import told
from .walk import Walk

__all__ = ["PlaySession"]

Array = NDArray[Any]
_CHUNK = 0.03  # seconds of training between two pictures
_EPOCHS = 100_000  # of one run, at most


class PlaySession:
    """A setup, where its walk stands, what is chosen, and the training that runs.

    Every message of the page goes through `handle`, on some thread; one lock guards all that changes. Explanations are
    worked out from a copy of the parameters, outside of the lock, so that a click is answered while training runs.
    """

    def __init__(self, setup: Setup, send: Callable[[dict[str, Any]], None]) -> None:
        self._send, self._lock = send, threading.RLock()
        self._playing, self._closed = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._answering = False  # training waits meanwhile
        self.lesson: str | None = None
        self.open(setup)

    def open(self, setup: Setup) -> None:
        """Begin with a setup."""
        self.pause()
        with self._lock:
            self.setup, self.frames = setup, Frames(setup.model)
            self.sample, self.removed = 0, set[int]()
            self.chosen: str | None = None
            self.notation = "book"
            self.broken: str | None = None
            self.seen: dict[str, Any] = {}
            self._stop_terms, self._by_term = 1, False
            order = np.random.default_rng(setup.model.run.seed).permutation(len(setup.X))
            self.batch = [int(row) for row in np.sort(order[: setup.samples])]
            self.sample = 0 if len(self.batch) < 10 else len(self.batch) // 2
            self.frames.keep(self._measured())
            self._new_walk()

    def handle(self, message: dict[str, Any]) -> None:
        """Do what a message asks for. Raises `ChainruleError` for what cannot be done; nothing is changed then."""
        kind, asked = checked(message)
        self._answering = True
        try:
            getattr(self, f"_on_{kind}")(**asked)
        finally:
            self._answering = False

    def close(self) -> None:
        """End what runs."""
        self._closed = True
        self._playing.clear()

    def pause(self) -> None:
        """Stop training after the chunk that runs."""
        self._playing.clear()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    # The numbers

    @property
    def rows(self) -> list[int]:
        """The samples of the batch that count."""
        return [row for row in self.batch if row not in self.removed]

    def _samples(self) -> tuple[Array, Any]:
        rows = self.rows
        return self.setup.X[rows], np.asarray(self.setup.y)[rows]

    def _trace(self) -> Trace:
        return self.setup.model.trace(*self._samples())

    def _measured(self) -> dict[str, float]:
        """Loss, metric and the size of each layer's gradient on the batch."""
        model = self.setup.model
        trace = self._trace()
        norms = {
            f"gradient of {name}": float(np.linalg.norm(value))
            for name, value in trace.gradients.items()
            if name.endswith("weights")
        }
        found = {"loss": trace.loss, **norms}
        if not self.setup.upstream:
            some = slice(0, 2000)
            found |= model.evaluate(self.setup.X[some], np.asarray(self.setup.y)[some])
        return {name: value for name, value in found.items() if number(value) is not None}

    def _new_walk(self) -> None:
        view = self._network()
        units = {node["name"]: [u["unit"] for u in node["units"]] for node in view["nodes"]}
        units.pop("loss", None)
        trained = list(self.setup.model.network.trainable_names())
        self.walk = Walk(units, trained, loss=not self.setup.upstream)

    def _network(self) -> dict[str, Any]:
        model = self.setup.model
        trace = self._trace()
        run = model.run
        rates = run.rates()
        following, _ = model.optimizer.update(
            np, run.step, run.trained, {name: trace.gradients[name] for name in run.trained}, run.slots
        )
        updates = {name: following[name] - value for name, value in run.trained.items()}
        return network_view(self.setup, trace, self._place(), rates, updates) | {
            "badges": badges(model, trace),
            "loss": number(trace.loss),
        }

    def sample_row(self) -> int:
        """The row of the data whose numbers stand on the neurons."""
        return self.batch[self.sample]

    # What the page asks for

    def look(self) -> None:
        """Send all that the page shows."""
        with self._lock:
            self._send({"type": "view", **self._state(), "network": self._network()})
            self._send({"type": "data", **self.data_message()})

    def data_message(self) -> dict[str, Any]:
        """The data, and what the network says all over the plane where they lie in one."""
        return {**data_view(self.setup), "surface": surface(self.setup)}

    def _state(self) -> dict[str, Any]:
        setup, model = self.setup, self.setup.model
        moment = self.walk.moment
        return {
            "title": setup.title,
            "lesson": self.lesson,
            "lessons": [{"name": o.name, "title": o.title, "text": o.text, "goal": o.goal} for o in LESSONS],
            "reached": self._reached(),
            "sample": {
                "place": self.sample,
                "row": self.sample_row(),
                "target": np.asarray(setup.y)[self.sample_row()].tolist(),
            },
            "batch": {"rows": self.batch, "removed": sorted(self.removed), "reduction": model.loss.reduction},
            "chosen": self.chosen,
            "notation": self.notation,
            "walk": {
                "position": self.walk.position,
                "stops": len(self.walk.moments),
                "term": self.walk.term,
                "moment": None if moment is None else moment.to_dict(),
                "seen": sorted([list(one) for one in self.walk.seen()], key=str),
            },
            "frames": {
                "count": len(self.frames),
                "position": self.frames.position,
                "curves": _finite(self.frames.curves()),
            },
            "step": model.run.step,
            "epoch": model.run.epoch,
            "playing": self._playing.is_set(),
            "broken": self.broken,
            "controls": setups.controls_of(setup),
            "upstream": setup.upstream,
        }

    def _reached(self) -> bool:
        goals = {lesson.name: lesson.done for lesson in LESSONS}.get(self.lesson or "", {})
        return bool(goals) and all(_meets(self.seen.get(name), wanted) for name, wanted in goals.items())

    def _on_look(self) -> None:
        self.look()

    def _on_lesson(self, name: str) -> None:
        lesson = next((lesson for lesson in LESSONS if lesson.name == name), None)
        if lesson is None:
            raise ConfigurationError(f"There is no lesson named {name!r}.")
        self.open(lesson.build())
        self.lesson = name
        self.look()

    def _on_csv(self, name: str, text: str, target: str | None = None) -> None:
        self.open(setups.of_csv(name, text, target))
        self.lesson = None
        self.look()

    def _on_controls(self, **controls: Any) -> None:
        self.open(setups.changed(self.setup, controls))
        self.look()

    def _on_go(self, unit: str, way: int) -> None:
        self.pause()
        with self._lock:
            moved = self.walk.go(unit, way, self._stop_terms)
            if moved == "over":
                self._one_step()
            elif moved == "start" and self.frames.position > 0:
                self.frames.show(self.frames.position - 1)
            self._by_term = unit == "multiplication"
            self._follow()
        self.look()

    def _one_step(self) -> None:
        """The update of this batch, as training makes it."""
        model = self.setup.model
        X, y = self._samples()
        model.fit(X, y, epochs=1, batch_size=len(X), shuffle=False, verbose=False, engine="numpy")
        self.frames.keep(self._measured())
        self._saw("updates", 1)

    def _place(self) -> int:
        """Where the chosen sample stands among those that count."""
        return self.rows.index(self.sample_row()) if self.sample_row() in self.rows else 0

    def _questions(self) -> list[str]:
        """What may explain this stop of the walk, the likeliest first."""
        moment, network = self.walk.moment, self.setup.model.network
        if moment is None:
            return []
        place = self._place()
        if moment.phase == "loss":
            classes = self.setup.model.loss.classifies
            unit = int(np.asarray(self.setup.y)[self.sample_row()]) if classes else 0
            return [f"{network.flat.output}[{place},{unit}]"]
        if moment.phase == "update":
            written = self.chosen or ""
            return [written] if written.startswith(f"{moment.node}[") else [f"{moment.node}[0,0]"]
        sources = [leaf.sources[0] for leaf in network.flat if leaf.name == moment.node and moment.phase == "forward"]
        return [f"{node}[{place},{moment.unit}]" for node in (moment.node, *sources)]

    def _here(self, steps: Any) -> list[Any]:
        """Those steps of a derivation that tell of this stop."""
        moment = self.walk.moment
        if moment is None:
            return []
        if moment.phase == "loss":
            return [step for step in steps if step.part == "loss" or step.id.startswith("forward-loss")]
        wanted = f"{moment.phase}-{moment.node}-{self._place()}-{moment.unit}"
        return [step for step in steps if step.id == wanted]

    def _follow(self) -> None:
        """Explain what the walk stands at."""
        explanation, here = None, list[Any]()
        for question in self._questions():
            try:
                explanation = self._explained(question, parts=("step",))
            except ChainruleError:  # another layer's unit, which this network has not
                continue
            here = self._here(explanation.steps)
            if here:
                break
        self._stop_terms = max([len(step.terms) for step in here], default=1)
        if explanation is not None:
            self._tell(explanation, here)

    def _on_play(self, on: bool) -> None:
        if not on:
            self.pause()
            self.look()
        elif not self._playing.is_set():
            if self.setup.upstream:
                raise ConfigurationError("There is nothing to train here: step through it instead.")
            self._playing.set()
            self._thread = threading.Thread(target=self._train, name="chainrule play", daemon=True)
            self._thread.start()

    def _train(self) -> None:
        """Train chunk after chunk, each as long as a picture takes, until somebody says stop."""
        epochs, model = 1, self.setup.model
        try:
            while self._playing.is_set() and not self._closed and model.run.epoch < _EPOCHS:
                start = time.perf_counter()
                with self._lock:
                    engine: Literal["numpy", "auto"] = "numpy" if self.broken else "auto"
                    X, y = self._all_that_count()
                    model.fit(X, y, epochs=epochs, batch_size=self.setup.batch_size, verbose=False, engine=engine)
                    self.frames.keep(self._measured())
                    self._saw("accuracy", self.frames.now.measured.get("accuracy", 0.0))
                    trained = time.perf_counter() - start
                    self._send({"type": "view", **self._state(), "network": self._network()})
                    if model.run.epoch % 5 == 0:
                        self._send({"type": "surface", "surface": surface(self.setup)})
                fast = int(epochs * _CHUNK / max(trained, 1e-4))
                epochs = max(1, min(4 * epochs, fast, model.run.epoch // 15))  # slowly at first, to be watched
                time.sleep(max(0.001, _CHUNK - (time.perf_counter() - start)))
                while self._answering and self._playing.is_set():
                    time.sleep(0.001)
        except ChainruleError as error:
            self._send({"type": "problem", "says": str(error)})
        finally:
            self._playing.clear()
            if not self._closed:
                self.look()

    def _all_that_count(self) -> tuple[Array, Any]:
        if not self.removed:
            return self.setup.X, self.setup.y
        keep = np.setdiff1d(np.arange(len(self.setup.X)), sorted(self.removed))
        return self.setup.X[keep], np.asarray(self.setup.y)[keep]

    def _on_seek(self, frame: int) -> None:
        self.pause()
        with self._lock:
            self.frames.show(frame)
        self.look()

    def _on_choose(self, what: str, notation: str | None = None) -> None:
        if notation is not None:
            self.notation = notation
        self._saw("chosen", what.partition("[")[0])
        self._tell(self._explained(what, parts=("step",)), [])

    def _explained(self, what: str, **options: Any) -> Any:
        """The explanation of one gradient, from a copy of the numbers, so that training goes on meanwhile."""
        with self._lock:
            setup, model = self.setup, self.setup.model
            values = {name: np.array(value) for name, value in model.parameters.items()}
            state = {name: np.array(value) for name, value in model.state.items()}
            X, y = self._samples()
            run = model.run
            slots = {name: np.array(value) for name, value in run.slots.items()}
            rates, loss, step = run.rates(), model.loss, run.step
        return explain(
            model.network,
            loss,
            X,
            y,
            what,
            parameters=values,
            state=state,
            optimizer=model.optimizer,
            slots=slots,
            rates=rates,
            step=step,
            feature_names=setup.feature_names,
            class_names=setup.class_names,
            **options,
        )

    def _tell_again(self) -> None:
        """Tell the chosen gradient anew, after a number has changed."""
        if self.chosen is not None:
            self._tell(self._explained(self.chosen, parts=("step",)), [])

    def _tell(self, explanation: Explanation, here: list[Any]) -> None:
        with self._lock:
            self.chosen = str(explanation.quantity)
            strip = None
            if explanation.kind == "parameter":
                name, index = explanation.quantity.name, explanation.quantity.index
                strip = batch_strip(self.setup, *self._samples(), self.rows, name, index)
        moment = self.walk.moment
        walked = {
            "phase": moment.phase if moment is not None and (here or moment.phase == "update") else None,
            "here": [step.id for step in here],
            "term": self.walk.term if self._by_term and here else None,
        }
        self._send({"type": "why", **walked, **told(explanation, self.notation), "strip": strip})

    def _on_proof(self, what: str) -> None:
        explanation = self._explained(what, parts=("witnesses",))
        self._send({"type": "proof", "of": what, "witnesses": [w.to_dict() for w in explanation.witnesses]})

    def _on_curve(self, what: str) -> None:
        explanation = self._explained(what, parts=("curve",), points=41)
        points = [[number(x), number(y)] for x, y in explanation.loss_curve]
        self._send(
            {"type": "curve", "of": what, "points": points, "at": explanation.current, "slope": explanation.value}
        )

    def _on_sample(self, place: int) -> None:
        if not 0 <= place < len(self.batch):
            raise DataError(f"The batch has the samples 0 to {len(self.batch) - 1}.")
        with self._lock:
            self.sample = place
        self.look()

    def _on_take_out(self, row: int, out: bool) -> None:
        with self._lock:
            if out and len(self.rows) <= 1:
                raise DataError("One sample must stay in the batch.")
            (self.removed.add if out else self.removed.discard)(row)
            if self.sample_row() in self.removed:
                self.sample = self.batch.index(self.rows[0])
            self._saw("removed", 1)
        self.look()
        self._tell_again()

    def _on_reduction(self, to: str) -> None:
        if self.setup.upstream:
            raise ConfigurationError("A gradient arrives here in place of a loss: there is no mean to take.")
        with self._lock:
            setups.reduce(self.setup.model, to)
        self.look()
        self._tell_again()

    def _on_set(self, what: str, value: float) -> None:
        """Give one number of the network, or of the chosen sample, another value."""
        with self._lock:
            name, index = written_entry(what, ("inputs", *self.setup.model.parameters))
            if index is None:
                raise DataError(f"Say which entry: {what}[0,0].")
            if name == "inputs":
                if len(index) != 2 or not (0 <= index[0] < len(self.rows) and 0 <= index[1] < self.setup.X.shape[1]):
                    raise DataError(f"inputs has {len(self.rows)} rows of {self.setup.X.shape[1]}: no {list(index)}.")
                place, column = index
                self.setup.X[self.rows[place], column] = value
            else:
                array = np.array(self.setup.model.parameters[name])
                if len(index) != array.ndim or not all(0 <= i < n for i, n in zip(index, array.shape, strict=True)):
                    raise DataError(f"{name} has the shape {array.shape}; there is no entry {list(index)}.")
                array[index] = value
                self.setup.model.parameters[name] = array
            self.frames.keep(self._measured())
        self.look()
        self._tell_again()

    def _on_nudge(self, what: str, by: float) -> None:
        """What the gradient predicts for a small change, and what the loss really does."""
        explanation = self._explained(what, parts=())
        self._send({"type": "nudged", "of": what, **guesses.nudged(self, explanation, by)})

    def _on_guess(self, what: str, value: float) -> None:
        explanation = self._explained(what, parts=())
        self._saw("guessed", 1)
        self._send({"type": "guessed", "of": what, **guesses.judged(explanation, value)})
        self._send({"type": "reached", "reached": self._reached()})

    def _on_draw(self, pixels: list[float]) -> None:
        """A picture that the reader drew becomes the chosen sample's."""
        if self.setup.image is None or len(pixels) != self.setup.X.shape[1]:
            raise DataError(f"A picture here has {self.setup.X.shape[1]} pixels, not {len(pixels)}.")
        drawn = np.clip(np.asarray(pixels, dtype=np.float64), 0.0, 1.0)
        with self._lock:
            self.setup.X[self.sample_row()] = drawn
            self._saw("drawn", 1)
            said = self.setup.model.predict_proba(drawn[None])[0]
        self._send({"type": "read", "chances": [number(p) for p in said], "classes": list(self.setup.class_names)})
        self.look()

    def _on_break(self, how: str | None) -> None:
        with self._lock:
            report = broken.change(self.setup.model, how)
            self.broken = how
        self._send({"type": "checked", "how": how, "report": report})
        self.look()

    def _on_take(self, what: str) -> None:
        with self._lock:
            self._send({"type": "taken", **taking.taken(self, what)})

    def _saw(self, name: str, value: Any) -> None:
        old = self.seen.get(name)
        self.seen[name] = value if isinstance(value, str) or old is None else max(old, value)


def _meets(seen: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return bool(seen == wanted)
    return seen is not None and not isinstance(seen, str) and seen >= wanted


def _finite(curves: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: [number(value) for value in values] for name, values in curves.items()}
