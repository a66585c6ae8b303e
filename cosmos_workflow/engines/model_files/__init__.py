"""Model files: where they are, and how they come."""
