"""What the scripts of this folder ask on the command line alike."""

from __future__ import annotations

import argparse

__all__ = ["parser"]


def parser(about: str | None, *, repeats: int = 5, quick: str = "few steps") -> argparse.ArgumentParser:
    """A parser that knows --repeats, --quick and --json."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--repeats", type=int, default=repeats, help=f"interleaved repeats (default {repeats})")
    made.add_argument("--quick", action="store_true", help=f"{quick}: to try it out")
    made.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    return made
