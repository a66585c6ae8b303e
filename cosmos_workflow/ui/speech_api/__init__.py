"""Speech for other programs, in the shapes of OpenAI's API, over the same queue as everything else."""
