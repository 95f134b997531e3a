"""What holds for every test: Hypothesis draws the same examples in each run, and JAX computes on the CPU."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator

import pytest
from hypothesis import settings

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported

settings.register_profile("chainrule", deadline=None, derandomize=True)
settings.load_profile("chainrule")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a failure while other threads work: before Python 3.11.8 two that parse break each other's count."""
    try:
        return (yield)
    except SystemError:  # "AST constructor recursion depth mismatch", from pytest's look at the failing line
        for _ in range(50):
            time.sleep(0.1)
            with contextlib.suppress(SystemError):
                return pytest.TestReport.from_item_and_call(item, call)
        raise


@pytest.fixture
def brief_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few repairs are tried: for what asks whether something is wrong, and not which line mends it."""
    from chainrule.checking.mending import search as mending

    monkeypatch.setattr(mending, "_MOST", 40)
