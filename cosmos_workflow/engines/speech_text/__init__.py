"""The text front end of all speech engines: what is written, as it is said. Pure functions."""
