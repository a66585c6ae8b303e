"""What outlives the process: prompts, input files, runs and their folders, and the queues' journal; see `store.Store`."""
