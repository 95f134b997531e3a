"""What holds for every test: Hypothesis draws the same examples in each run, and JAX computes on the CPU."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported

settings.register_profile("chainrule", deadline=None, derandomize=True)
settings.load_profile("chainrule")
