"""`python -m chainrule` is the shell."""

from chainrule_shell import main

main()
