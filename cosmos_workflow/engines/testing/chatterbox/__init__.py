"""Toy Chatterbox, and the package's own serial way to compare with."""
