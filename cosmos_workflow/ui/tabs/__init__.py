"""A tab a file: its components and its wiring."""
