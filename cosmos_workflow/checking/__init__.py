"""Speech heard back: what is wrong with a sound, and whether it says its text."""
