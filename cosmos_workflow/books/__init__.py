"""Books: read from the files that people have, and written as the files that their players know. Knows nothing of jobs."""
