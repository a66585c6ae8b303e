"""Execution: batches on devices, one queue after another."""
