"""Can't be imported."""

raise ImportError("this worker needs a library that isn't there")
