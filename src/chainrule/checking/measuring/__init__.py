"""Measuring: the derivatives of forward by differences, and what a backward pass gives beside them."""
