"""What the command `chainrule` starts: the shell, which Ctrl-C ends as quietly while it is imported as later on.

It stands outside the package, because to import anything of that is to import all of it, and NumPy.
"""

__all__ = ["main"]


def main() -> None:
    """Run the shell; exit code 130 if Ctrl-C ends it."""
    try:
        from chainrule.cli import main as shell

        shell()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
