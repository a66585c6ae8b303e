"""Long text as speech: chunks, takes, and how they are joined."""
