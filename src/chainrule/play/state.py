"""Where a session stands, as the page reads it: the lesson, the batch, the walk, the recorded run, the controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import setups
from .lessons import LESSONS, Lesson
from .looks import number

__all__ = ["goal_of", "reached", "state_of"]

_CURVE = 200  # points of a curve, at most


def state_of(session: Any) -> dict[str, Any]:
    """All that the page shows beside the network and the data."""
    work, walk = session.work, session.walk
    setup, run, moment = work.setup, work.model.run, walk.moment
    return {
        "title": setup.title,
        "lesson": session.lesson,
        "lessons": [_told(one, bool(setup.table)) for one in LESSONS],
        "reached": reached(session),
        "sample": {
            "place": work.sample,
            "row": work.sample_row(),
            "target": np.asarray(setup.y)[work.sample_row()].tolist(),
        },
        "batch": {
            "rows": work.batch,
            "removed": sorted(work.removed),
            "reduction": run.loss.reduction,
            "divided": setup.divided > 1,
            "divisor": work.divisor(),
        },
        "chosen": session.chosen,
        "notation": session.notation,
        "walk": {
            "position": walk.position,
            "stops": len(walk.moments),
            "term": walk.term,
            "moment": None if moment is None else moment.to_dict(),
            "seen": sorted([list(one) for one in walk.seen()], key=str),
        },
        "frames": {"count": len(work.frames), "position": work.frames.position, "curves": _curves(work.frames)},
        "step": run.step,
        "epoch": run.epoch,
        "measured": work.measured(),
        "broken": work.broken,
        "controls": setups.controls_of(setup),
        "upstream": setup.upstream,
    }


def _told(lesson: Lesson, table: bool) -> dict[str, Any]:
    """A lesson as the page shows it; `table` says that the reader's own is open."""
    open_table = table and "table" in lesson.done
    return {
        "name": lesson.name,
        "title": lesson.title,
        "text": lesson.text if open_table else f"{lesson.text} {lesson.before}".strip(),
        "goal": lesson.after if open_table else lesson.goal,
    }


def goal_of(lesson: str | None) -> Mapping[str, float]:
    """What a lesson's goal asks for, in its order; nothing where there is no lesson."""
    return next((one.done for one in LESSONS if one.name == lesson), {})


def reached(session: Any) -> bool:
    """Whether the reader has done what the lesson asks for."""
    goals, seen = goal_of(session.lesson), session.seen
    return bool(goals) and all(seen.get(name, 0) >= wanted for name, wanted in goals.items())


def _curves(frames: Any) -> dict[str, list[Any]]:
    """To five digits: more is not seen, and thirty pictures a second carry them."""
    return {name: [number(f"{value:.5g}") for value in values] for name, values in frames.curves(_CURVE).items()}
