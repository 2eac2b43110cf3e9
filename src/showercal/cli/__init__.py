"""The command line: every command parses, calls one function of the package, and prints."""

from showercal.cli._app import main

__all__ = ["main"]
