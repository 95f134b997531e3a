"""check: says which gradient is wrong, where, and what the mistake is."""

from .checker import CHECKS, check
from .findings import Checked, Diagnosis, Finding, Grid, Sample
from .report import Report
from .subjects.declared import on_purpose

__all__ = ["CHECKS", "Checked", "Diagnosis", "Finding", "Grid", "Report", "Sample", "check", "on_purpose"]
