"""Books as jobs: a task a chapter, and the texts beside the job file."""
