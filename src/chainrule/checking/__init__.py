"""check: which gradient is wrong, where, and what the mistake is."""

from .checker import CHECKS, check
from .report import Checked, Diagnosis, Finding, Grid, Report, Sample

__all__ = ["CHECKS", "Checked", "Diagnosis", "Finding", "Grid", "Report", "Sample", "check"]
