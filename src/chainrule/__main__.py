"""`python -m chainrule` is the shell."""

from .cli import main

main()
