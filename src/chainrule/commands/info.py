"""`chainrule info` and `chainrule datasets`: list the contents of a model file, and the data sets."""

from __future__ import annotations

import json as jsons
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__, datasets
from ..columns import measured
from ..display.terminal import terminal
from ..ensemble import load, members_of
from .console import say


def info(path: Path | None, json: bool) -> None:
    """Print what a model file holds; without one, what is installed and which engines run here."""
    if path is not None:
        _print_model(path, json)
    elif json:
        print(jsons.dumps(installation()))
    else:
        _print_facts(terminal(), _in_words(installation()))


def installation() -> dict[str, Any]:
    """Versions, cores, the library of NumPy's matrix products, and what the engines run on."""
    import threadpoolctl

    from ..engines.fused import library

    blas = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
    return {
        "chainrule": __version__,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "products": [{name: each.get(name) for name in ("internal_api", "version", "architecture")} for each in blas],
        "fused": library.about(),
        "jax": _version_of("jax"),
    }


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _in_words(found: dict[str, Any]) -> dict[str, Any]:
    fused, products = found["fused"], found["products"]
    names = [" ".join(str(part) for part in each.values() if part) for each in products]
    code = f"machine code for {fused['level']}, by {fused['compiler']}"
    return {
        **{name: found[name] for name in ("chainrule", "python", "numpy", "machine", "cores")},
        "products": names or "NumPy's own, without OpenBLAS: large networks are slower",
        "fused": code if fused["problem"] is None else f"NumPy computes instead: {fused['problem']}",
        "jax": found["jax"] or 'not installed: pip install "chainrule[jax]"',
    }


def _print_facts(console: Any, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        if shown not in (None, ""):
            say(console, f"{name:>12}  {shown}")


def _print_model(path: Path, json: bool) -> None:
    from ..registry import describe

    members = members_of(load(path))
    model = members[0]
    summary = model.summary()
    facts = {
        **({"members": len(members)} if len(members) > 1 else {}),
        "loss": type(model.loss).__name__,
        "optimizer": describe(model.optimizer),
        "dtype": str(model.dtype),
        "parameters": summary.parameters,
        "epochs": _each([one.run.epoch for one in members]),
        "steps": _each([one.run.step for one in members]),
        "seed": _each([one.run.seed for one in members]),
        "classes": list(model.class_names),
        "target": None if model.preprocessing is None else model.preprocessing.target,
        "columns": {} if model.preprocessing is None else columns(model.preprocessing),
        "features": [] if model.preprocessing is None else list(model.preprocessing.feature_names),
    }
    if json:
        print(jsons.dumps(facts))
        return
    console = terminal()
    console.print(summary)
    lasts = [one.history.last for one in members]
    facts["optimizer"] = type(model.optimizer).__name__
    facts["columns"] = [f"{name} ({kind})" for name, kind in facts["columns"].items()]
    facts["features"] = len(facts["features"]) if len(facts["features"]) > 20 else facts["features"]
    facts |= {name: [f"{last[name]:.4f}" for last in lasts if name in last] for name in measured(lasts[0])}
    _print_facts(console, facts)


def _each(numbers: list[int]) -> Any:
    """The number of each member, or the one."""
    return numbers if len(numbers) > 1 else numbers[0]


def columns(preprocessing: datasets.Preprocessing) -> dict[str, str]:
    """What each column of the table is taken as."""
    kinds = {"number": "number", "truth": "yes or no", "time": "time of the day, in hours"}
    found = {}
    for column in preprocessing.columns:
        inputs = len(column.feature_names)
        if column.written.kind == "text":
            rest = ", the others together" * any(name.endswith("=(other)") for name in column.feature_names)
            found[column.name] = f"text of {inputs - bool(rest)} categories{rest}"
        elif column.written.kind == "date":
            found[column.name] = f"date, {inputs} inputs"
        else:
            found[column.name] = kinds[column.written.kind] + ", decimal comma" * (column.written.mark == ",")
    return found | dict.fromkeys(preprocessing.ignored, "left out")


def list_datasets() -> None:
    """Print the data sets by name."""
    console = terminal()
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
