"""The command line: a verb a file."""

from cosmos_workflow.cli.entry import app, main

__all__ = ["app", "main"]
