"""Clips as somebody sent them, read as a player shows them: upright, with square pixels, in SDR, whole or not at all."""
