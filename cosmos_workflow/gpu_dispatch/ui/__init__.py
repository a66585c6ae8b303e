"""What is seen of a dispatch in a terminal. The only part of the library that needs Rich."""

from .rich_dispatcher import RichDispatcher
from .view import DispatchView

__all__ = ["DispatchView", "RichDispatcher"]
