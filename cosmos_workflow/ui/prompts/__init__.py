"""The Prompts tab."""
