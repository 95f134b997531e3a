"""Run `check` over a folder of cases, right ones and wrong ones, by call and by shell, and say how many came out right.

The folder holds `expected.json`: for each file whether it is `right`, and `items`, each with `call` (an expression in
the file's own names), `inputs` and `targets` and the `arrays` whose gradients must be compared; `shell` says whether
the file is also checked from the shell, true or a list of options.

With `--words FILE`, a JSON object that gives for each wrong file a regular expression of the words a teacher would use,
the first thing that is said of each is graded, and it is counted how many got a line to write.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import check
from chainrule.checking.files import load
from chainrule.errors import ChainruleError


@dataclass
class Outcome:
    """What became of one item, or of one file in the shell."""

    refused: str = ""
    passed: bool = False
    arrays: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def value_of(spec: Any, rng: np.random.Generator) -> Any:
    """Inputs or targets as expected.json writes them."""
    if isinstance(spec, str):
        return rng.normal(size=tuple(int(part) for part in spec.split("x")))
    if isinstance(spec, list):
        return tuple(value_of(each, rng) for each in spec)
    if not isinstance(spec, dict):
        return spec
    if "integers" in spec:
        return rng.integers(*spec["integers"], spec["shape"])
    if "onehot" in spec:
        rows, classes = spec["onehot"]
        return np.eye(classes)[rng.integers(0, classes, rows)]
    if "bool" in spec:
        mask = rng.random(spec["bool"]) < 0.7
        mask[..., 0] = True
        return mask
    if "array" in spec:
        return np.array(spec["array"])
    if "value" in spec:
        return spec["value"]
    return {name: value_of(each, rng) for name, each in spec.items()}


def outcome(report: dict[str, Any], seconds: float) -> Outcome:
    """An outcome from a report's JSON."""
    errors = [f for f in report["findings"] if f["severity"] == "error"]
    notes = [f["says"] for f in report["findings"] if f["severity"] != "error"]
    arrays = [a["array"] for a in report["arrays"]]
    return Outcome("", bool(report["passed"]), arrays, errors, notes, seconds)


def by_call(path: Path, item: dict[str, Any]) -> Outcome:
    """The item checked from Python."""
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    try:
        names = dict(load(path))
        np.random.seed(0)  # noqa: NPY002, what the cases draw from
        subject = eval(item["call"], names)  # the cases are ours
        inputs, targets = (value_of(item.get(key), rng) for key in ("inputs", "targets"))
        report = check(subject, inputs, targets).to_json()
    except ChainruleError as error:
        return Outcome(refused=str(error), seconds=time.perf_counter() - started)
    except Exception as error:
        return Outcome(refused=f"CRASH {type(error).__name__}: {error}", seconds=time.perf_counter() - started)
    return outcome(report, time.perf_counter() - started)


def by_shell(path: Path, options: list[str]) -> dict[str, Outcome]:
    """Every item that the shell lists, by name."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "chainrule", "check", str(path), "--json", *options]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return {"": Outcome(refused="more than 120 s")}
    seconds = time.perf_counter() - started
    try:
        answers = json.loads(done.stdout)
    except ValueError:
        return {"": Outcome(refused=(done.stderr or done.stdout).strip()[-300:], seconds=seconds)}
    return {
        a["name"]: Outcome(refused=a["error"], seconds=seconds) if "error" in a else outcome(a, seconds)
        for a in answers
    }


def verdict(case: dict[str, Any], item: dict[str, Any], got: Outcome | None) -> str:
    """One word for an outcome."""
    if got is None or got.refused:
        return "refused"
    if case["right"]:
        if not got.passed:
            return "ALARM"
        return "ok" if len(got.arrays) >= len(item["arrays"]) else "partial"
    return "MISSED" if got.passed else "ok"


def line(name: str, how: str, word: str, got: Outcome | None) -> str:
    """What is printed for an item."""
    text = f"{word:8}{how:6}{name:45}"
    if got is None:
        return f"{text} not listed"
    if got.refused:
        return f"{text} {got.refused}"
    text += f" [{', '.join(got.arrays)}] {got.seconds:.2f} s"
    for error in got.errors[:3]:
        best = error["diagnoses"][0] if error["diagnoses"] else {"mistake": error["kind"], "says": error["says"]}
        text += f"\n            {error['array']}: {best['mistake']}: {best['says']}"
        text += f"\n              write: {best['write']}" if best.get("write") else ""
    return text + "".join(f"\n            note: {note}" for note in got.notes[:4])


def first_said(got: Outcome | None) -> tuple[str, bool]:
    """The sentence that a reader meets first, and whether there is a line to write."""
    if got is None or not got.errors:
        return "", False
    first = next((e for e in got.errors if not e.get("follows")), got.errors[0])
    best = first["diagnoses"][0] if first["diagnoses"] else {"says": first["says"]}
    return f"{first['array']}: {best['says']}", any(d.get("line") for e in got.errors for d in e["diagnoses"])


def graded(said: dict[tuple[str, str], tuple[str, bool]], words: dict[str, str]) -> None:
    """Print what was said first where it is not what a teacher says, and the counts."""
    for how in ("call", "shell"):
        mine = {name: got for (name, at), got in said.items() if at == how and name in words}
        right = [name for name, (text, _) in mine.items() if re.search(words[name], text, re.IGNORECASE)]
        for name in mine.keys() - set(right):
            print(f"GRADE   {how:6}{name:45} {mine[name][0]}")
        lines = sum(line for _, line in mine.values())
        print(f"named first {how:6}{len(right)} of {len(mine)}, with a line to write {lines}")


def main() -> None:
    """Run, print, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="files whose name holds this")
    parser.add_argument("--how", choices=("call", "shell", "both"), default="both")
    parser.add_argument("--bad", action="store_true", help="print only what did not come out right")
    parser.add_argument("--words", type=Path, help="grade what is said first of the wrong files")
    options = parser.parse_args()
    said: dict[tuple[str, str], tuple[str, bool]] = {}
    cases = json.loads((options.folder / "expected.json").read_text())
    counts: dict[tuple[bool, str, str], int] = {}
    whole: dict[bool, list[bool]] = {True: [], False: []}
    for name, case in cases.items():
        if options.only not in name:
            continue
        path, words = options.folder / name, []
        shell = case["shell"] if options.how != "call" else False
        listed = by_shell(path, shell if isinstance(shell, list) else []) if shell else {}
        for item in case["items"]:
            results = []
            if case.get("python", True) and options.how != "shell":
                results.append(("call", by_call(path, item)))
            if shell:
                results.append(("shell", listed.get(item["name"], listed.get(""))))
            for how, got in results:
                word = verdict(case, item, got)
                if not case["right"]:
                    said[name, how] = first_said(got)
                words.append(word)
                counts[case["right"], how, word] = counts.get((case["right"], how, word), 0) + 1
                if not options.bad or word != "ok":
                    print(line(f"{name}:{item['name']}", how, word, got), flush=True)
        whole[case["right"]].append(all(word == "ok" for word in words))
    for (right, how, word), count in sorted(counts.items()):
        print(f"{'right' if right else 'wrong'} {how:6}{word:8}{count}")
    if options.words is not None:
        graded(said, json.loads(options.words.read_text()))
    print(f"right files that pass whole: {sum(whole[True])} of {len(whole[True])}")
    print(f"wrong files that are caught: {sum(whole[False])} of {len(whole[False])}")


if __name__ == "__main__":
    main()
