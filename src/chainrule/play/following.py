"""What explains the stop that a walk stands at: the number to ask for, and the steps of its derivation that tell it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..explaining.derivation import ReadingStep
from .walk import Stop
from .work import Work

__all__ = ["questions", "steps_here"]


def questions(work: Work, moment: Stop | None, chosen: str | None) -> list[str]:
    """What may explain this stop of the walk, the likeliest first; of an update, what is chosen already."""
    if moment is None:
        return []
    network, place = work.model.network, work.place()
    if moment.phase == "loss":
        unit = int(np.asarray(work.setup.y)[work.sample_row()]) if work.model.loss.classifies else 0
        return [f"{network.flat.output}[{place},{unit}]"]
    if moment.phase == "update":
        return [chosen] if chosen and chosen.startswith(f"{moment.node}[") else [f"{moment.node}[0,0]"]
    sources = [leaf.sources[0] for leaf in network.flat if leaf.name == moment.node and moment.phase == "forward"]
    return [f"{node}[{place},{moment.unit}]" for node in (moment.node, *sources)]


def steps_here(steps: Sequence[ReadingStep], work: Work, moment: Stop | None) -> list[ReadingStep]:
    """Those steps of a derivation that tell of this stop."""
    if moment is None:
        return []
    if moment.phase == "loss":
        return [step for step in steps if step.part == "loss" or step.id.startswith("forward-loss")]
    wanted = f"{moment.phase}-{moment.node}-{work.place()}-{moment.unit}"
    return [step for step in steps if step.id == wanted]
