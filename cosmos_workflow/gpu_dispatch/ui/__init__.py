"""What is seen of a dispatch in a terminal. The only part of the library that needs Rich."""

from .view import DispatchView, RichDispatcher

__all__ = ["DispatchView", "RichDispatcher"]
