"""The engines: a contract, and a file or folder for each."""
