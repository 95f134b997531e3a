"""`chainrule info` and `chainrule datasets`: list the contents of a model file, and the data sets."""

from __future__ import annotations

import json as jsons
from pathlib import Path

from .. import datasets
from ..columns import measured
from ..model import Model
from .console import say


def info(path: Path, json: bool) -> None:
    """Print the contents of a model file."""
    from rich.console import Console

    from ..registry import describe

    model = Model.load(path)
    summary = model.summary()
    facts = {
        "loss": type(model.loss).__name__,
        "optimizer": describe(model.optimizer),
        "dtype": str(model.dtype),
        "parameters": summary.parameters,
        "epochs": model.run.epoch,
        "steps": model.run.step,
        "seed": model.run.seed,
        "classes": list(model.class_names),
        "target": None if model.preprocessing is None else model.preprocessing.target,
        "features": [] if model.preprocessing is None else list(model.preprocessing.feature_names),
    }
    if json:
        print(jsons.dumps(facts))
        return
    console = Console()
    console.print(summary)
    last = model.history.last
    facts["optimizer"] = type(model.optimizer).__name__
    facts |= {name: f"{last[name]:.4f}" for name in measured(last)}
    for name, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        if shown not in (None, ""):
            say(console, f"{name:>12}  {shown}")


def list_datasets() -> None:
    """Print the data sets by name."""
    from rich.console import Console

    console = Console()
    for name, d in datasets.SHIPPED.items():
        target = f"{len(d.class_names)} classes" if d.class_names else "values"
        say(console, f"{name}: {d.title}")
        say(console, f"    {d.samples} samples, {d.features} features, {target}")
        say(console, f"    source: {d.source}")
        say(console, f"    licence: {d.licence}")
    say(
        console,
        "fashion-mnist: from the Debian package dataset-fashion-mnist, or the path of a folder with its IDX files",
    )
    say(console, "spiral, vertical, sine, moons, circles, blobs, xor: points that are made anew")
    say(console, "or the path of a CSV or Parquet file")
