"""Engines: the same pair, carried out by NumPy, by compiled code, or by JAX."""
