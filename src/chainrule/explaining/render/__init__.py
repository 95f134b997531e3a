"""Explanations as text, for a terminal, as LaTeX, as a page, as a picture: each in a module of its own."""
