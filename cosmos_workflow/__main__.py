"""`python -m cosmos_workflow` is the command line."""

from cosmos_workflow.cli import main

main()
