"""Errors that reach a person: one sentence each."""


class WorkflowError(Exception):
    """Base of every error this package raises on purpose; `str()` is one sentence for a person."""


class InputError(WorkflowError):
    """What was given is wrong: the sentence says what, where, and what would be right. Nothing was changed."""


class UnavailableError(WorkflowError):
    """An engine, a device or a folder can't be used now; the sentence says why and what to do."""
