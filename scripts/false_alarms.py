"""Check thousands of correct layers, losses, networks and models: `check` must find nothing wrong with any of them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hypothesis import HealthCheck, Phase, given, seed, settings

from correct import Drawn, correct


def main() -> None:
    """Draw, check, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="objects to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    alarms: list[str] = []
    drawn = 0
    started = time.perf_counter()

    @seed(options.seed)
    @settings(
        max_examples=options.count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(correct())
    def look(one: Drawn) -> None:
        nonlocal drawn
        drawn += 1
        report = one.report()
        if report is not None and not report.passed:
            alarms.append(f"{one.item!r}\n{report}")
            print(f"{alarms[-1]}\n", flush=True)
        if drawn % 1000 == 0:
            print(f"{drawn} checked, {len(alarms)} false alarms, {time.perf_counter() - started:.0f} s", flush=True)

    look()
    print(f"{drawn} correct objects, {len(alarms)} false alarms ({time.perf_counter() - started:.0f} s)")
    raise SystemExit(bool(alarms))


if __name__ == "__main__":
    main()
