"""Programs that several ranks run, and ranks that are threads; see test_distributed.py."""
