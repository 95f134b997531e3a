"""One page's session: what the page asks for, done with the library, and answered as JSON."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ChainruleError, ConfigurationError, DataError, NonFiniteError
from ..explaining import Explanation
from ..traces import Trace
from . import guesses, linking, setups, taking
from .following import questions, steps_here
from .lessons import Setup
from .looks import number, surface
from .messages import checked, sending
from .running import Running
from .state import goal_of, reached, state_of
from .telling import lost, told
from .walk import Walk
from .work import Snapshot, Work

__all__ = ["PlaySession"]

_ANSWERED = ("choose", "curve", "guess", "nudge", "proof")  # from the picture that is shown, while training waits


class PlaySession:
    """A work, where its walk stands, what is chosen, and the training that runs.

    Every message of the page goes through `handle`, on some thread; one lock guards all that changes. Explanations are
    worked out from a snapshot, outside of the lock, so that a click is answered while training runs.
    """

    def __init__(self, setup: Setup, send: Callable[[dict[str, Any]], None]) -> None:
        self._send: Callable[[dict[str, Any]], None] = lambda message: send(sending(message))
        self._lock = threading.RLock()
        self._closed = False
        self.running = Running(self._lock, self._shows, self._ends)
        self.lesson: str | None = None
        self.open(setup)

    def open(self, setup: Setup, work: Work | None = None) -> None:
        """Begin with a setup, or with a work that is made of it."""
        self.running.stop()
        with self._lock:
            self.work = Work(setup) if work is None else work
            self.chosen: str | None = None
            self.notation = "book"
            self.seen: dict[str, float] = {}
            self._stop_terms, self._by_term = 1, False
            self._new_walk()

    @np.errstate(all="ignore")  # the page itself says where numbers overflow
    def handle(self, message: dict[str, Any]) -> None:
        """Do what a message asks for. Raises `ChainruleError` for what cannot be done; nothing is changed then."""
        kind, asked = checked(message)
        self.running.answering = kind in _ANSWERED
        try:
            getattr(self, f"_on_{kind}")(**asked)
        finally:
            self.running.answering = False

    def close(self) -> None:
        """End what runs."""
        self._closed = True
        self.running.stop(wait=False)

    def saw(self, name: str, value: float = 1) -> None:
        """Remember what the reader has done, or how far it came at best, for the lesson's goal.

        Nothing counts before what the goal asks for first.
        """
        goal = goal_of(self.lesson)
        before = list(goal)[: list(goal).index(name)] if name in goal else []
        if any(self.seen.get(one, 0) < goal[one] for one in before):
            return
        self.seen[name] = max(self.seen.get(name, value), value)

    # The whole page

    def look(self) -> None:
        """Send all that the page shows."""
        with self._lock:
            self._send(self.view())
            self._send({"type": "data", **self.work.data()})

    def view(self, one: Trace | None = None) -> dict[str, Any]:
        """What the page shows beside the data; `one` is the pass that its numbers come from."""
        return {
            "type": "view",
            **state_of(self),
            "playing": self.running.on,
            "network": self.work.network(one),
        }

    def _on_look(self) -> None:
        self.look()

    def _on_lesson(self, name: str) -> None:
        self.open(setups.of_lesson(name))
        self.lesson = name
        self.look()

    def _on_dataset(self, name: str) -> None:
        self.open(setups.of_name(name))
        self.lesson = None
        self.look()

    def _on_table(self, name: str, content: str, target: str | None = None) -> None:
        self.open(setups.of_table(name, content, target))
        self.lesson = "table"
        self.saw("table")
        self.look()

    def _on_controls(self, **controls: Any) -> None:
        self.open(setups.changed(self.work.setup, controls))
        if self.work.setup.table:  # which stays open
            self.saw("table")
        self.look()

    def _on_open(self, lesson: str | None = None, data: str = "", controls: Any = None, **asked: Any) -> None:
        """What a link holds."""
        chosen, how = asked.pop("chosen", None), asked.pop("broken", None)
        work = Work(linking.opened(lesson, data, controls or {}))
        linking.restored(work, asked)
        report = None if how is None else work.spoil(how)
        self.open(work.setup, work)
        self.lesson = lesson
        self.look()
        if how is not None:
            self._send({"type": "checked", "how": how, "report": report})
        if chosen is not None:
            self._derive(chosen)

    def _on_link(self) -> None:
        with self._lock:
            found = linking.state(self.work, self.lesson, self.chosen)
            says = linking.left_out(self.work, found)
        self._send({"type": "link", "fragment": linking.fragment(found), "says": says})

    # The walk

    def _new_walk(self) -> None:
        view, setup = self.work.network(), self.work.setup
        units = {node["name"]: [u["unit"] for u in node["units"]] for node in view["nodes"]}
        units.pop("loss", None)
        self.walk = Walk(units, list(setup.model.network.trainable_names()), loss=not setup.upstream)

    def _on_go(self, unit: str, way: int) -> None:
        self.running.stop()
        with self._lock:
            moved = self.walk.go(unit, way, self._stop_terms)
            if moved == "over":
                self.work.one_step()
                self.saw("updates")
                self.saw("walked", unit != "batch")
            elif moved == "start" and self.work.frames.position > 0:
                self.work.frames.show(self.work.frames.position - 1)
            self._by_term = unit == "multiplication"
            self._follow()
            self._send(self.view())
            if moved != "moved":  # the plane has changed
                self._send({"type": "surface", "surface": surface(self.work.setup)})

    def _follow(self) -> None:
        """Explain what the walk stands at."""
        shot, explanation, here = self.snapshot(), None, list[Any]()
        for question in questions(self.work, self.walk.moment, self.chosen):
            try:
                explanation = shot.explain(question, parts=("step",))
            except NonFiniteError as error:
                self._tell_lost(shot, question, error)
                break
            except ChainruleError:  # another layer's unit, which this network has not
                continue
            here = steps_here(explanation.steps, self.work, self.walk.moment)
            if here:
                break
        self._stop_terms = max([len(step.terms) for step in here], default=1)
        if explanation is not None:
            self._tell(shot, explanation, here)

    # Training

    def _on_play(self, on: bool) -> None:
        if not on:
            self.running.stop()
            self.look()
        elif self.work.setup.upstream:
            raise ConfigurationError("There is nothing to train here: step through it instead.")
        else:
            self.running.start(self.work)

    def _shows(self, picture: int, one: Trace) -> None:
        self.saw("accuracy", self.work.frames.now.measured.get("accuracy", 0.0))
        self.saw("updates")
        self._send(self.view(one))
        if picture % 10 == 4:
            self._send({"type": "surface", "surface": surface(self.work.setup)})

    def _ends(self, error: ChainruleError | None) -> None:
        if error is not None:
            self._send({"type": "problem", "says": str(error)})
        if not self._closed:
            self.look()

    def _on_seek(self, frame: int) -> None:
        self.running.stop()
        with self._lock:
            self.work.frames.show(frame)
            self._send(self.view())
            self._send({"type": "surface", "surface": surface(self.work.setup)})

    # One number

    def snapshot(self) -> Snapshot:
        """The numbers of the picture that the page shows, without waiting for the training that runs."""
        shot = self.running.shot
        if shot is not None:
            return shot
        with self._lock:
            return self.work.snapshot()

    def _on_choose(self, what: str, notation: str | None = None) -> None:
        if notation is not None:
            self.notation = notation
        self._derive(what)
        self.saw(f"chosen {what.partition('[')[0]}")
        self._send({"type": "reached", "reached": reached(self)})

    def _tell_again(self) -> None:
        """Tell the chosen gradient anew, after a number has changed."""
        if self.chosen is not None:
            self._derive(self.chosen)

    def _derive(self, what: str) -> None:
        """Tell the gradient of one number, or on the way to it the first number that is not finite."""
        shot = self.snapshot()
        try:
            explanation = shot.explain(what, parts=("step",))
        except NonFiniteError as error:
            self._tell_lost(shot, what, error)
        else:
            self._tell(shot, explanation, [])

    def _tell_lost(self, shot: Snapshot, what: str, error: NonFiniteError) -> None:
        self.chosen = what
        self._send({"type": "why", "step": shot.step, **lost(what, str(error), self.notation, shot)})

    def _tell(self, shot: Snapshot, explanation: Explanation, here: list[Any]) -> None:
        self.chosen = str(explanation.quantity)
        moment = self.walk.moment
        walked = {
            "step": shot.step,
            "phase": moment.phase if moment is not None and (here or moment.phase == "update") else None,
            "here": [step.id for step in here],
            "term": self.walk.term if self._by_term and here else None,
        }
        self._send({"type": "why", **walked, **told(explanation, self.notation, shot)})

    def _on_proof(self, what: str) -> None:
        explanation = self.snapshot().explain(what, parts=("witnesses",))
        self._send({"type": "proof", "of": what, "witnesses": [w.to_dict() for w in explanation.witnesses]})

    def _on_curve(self, what: str) -> None:
        found = self.snapshot().explain(what, parts=("curve",), points=41)
        points = [[number(x), number(y)] for x, y in found.loss_curve]
        self._send({"type": "curve", "of": what, "points": points, "at": found.current, "slope": found.value})

    def _on_nudge(self, what: str, by: float) -> None:
        """What the gradient predicts for a small change, and what the loss really does."""
        shot = self.snapshot()
        self._send({"type": "nudged", "of": what, **guesses.nudged(shot, shot.explain(what, parts=()), by)})

    def _on_guess(self, what: str, value: float, of: str = "gradient") -> None:
        explanation = self.snapshot().explain(what, parts=())
        verdict = (guesses.judged if of == "gradient" else guesses.judged_value)(explanation, value)
        if of == "gradient" and explanation.quantity.name == self.work.model.network.flat.output:
            self.saw("guessed", verdict["close"])
        self._send({"type": "guessed", "of": what, **verdict})
        self._send({"type": "reached", "reached": reached(self)})

    # What the reader changes

    def _changed(self, change: Callable[..., Any], *given: Any) -> None:
        with self._lock:
            change(*given)
            if self.running.shot is not None:
                self.running.shot = self.work.snapshot()
        self.look()
        self._tell_again()

    def _on_sample(self, place: int) -> None:
        if not 0 <= place < len(self.work.batch):
            raise DataError(f"The batch has the samples 0 to {len(self.work.batch) - 1}.")
        with self._lock:
            self.work.sample = place
        self.look()

    def _on_take_out(self, row: int, out: bool) -> None:
        def change() -> None:
            self.work.take_out(row, out)
            self.saw("removed", out)

        self._changed(change)

    def _on_reduction(self, to: str, divided: bool = False) -> None:
        if self.work.setup.upstream:
            raise ConfigurationError("A gradient arrives here in place of a loss: there is no mean to take.")
        self._changed(self.work.reduce, to, divided)

    def _on_set(self, what: str, value: float) -> None:
        self._changed(self.work.set, what, value)

    def _on_draw(self, pixels: list[float]) -> None:
        """A picture that the reader drew becomes the chosen sample's."""
        with self._lock:
            said = self.work.draw(pixels)
            self.saw("drawn", any(pixels))
        self._send({"type": "read", "chances": [number(p) for p in said], "classes": list(self.work.setup.class_names)})
        self.look()

    def _on_break(self, how: str | None) -> None:
        self.running.stop()
        with self._lock:
            report = self.work.spoil(how)
        self._send({"type": "checked", "how": how, "report": report})
        self.look()
        self._tell_again()

    def _on_take(self, what: str) -> None:
        with self._lock:
            apart = self._apart()
        self._send({"type": "taken", **taking.taken(apart, what)})  # the page and its training go on meanwhile

    def _apart(self) -> PlaySession:
        """A copy of what is shown, at rest, that goes through the recorded run by itself."""
        apart = copy.copy(self)
        apart.work = self.work.apart()
        apart.running = Running(threading.RLock(), lambda picture, one: None, lambda error: None)
        return apart
