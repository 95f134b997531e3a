"""check: says which gradient is wrong, where, and what the mistake is."""

from .checker import CHECKS, check
from .findings import Checked, Diagnosis, Finding, Grid, Sample
from .report import Report

__all__ = ["CHECKS", "Checked", "Diagnosis", "Finding", "Grid", "Report", "Sample", "check"]
