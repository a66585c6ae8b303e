"""What is seen of a dispatch in a terminal. The only part of the library that needs Rich."""

from cosmos_workflow.gpu_dispatch.ui.rich_dispatcher import RichDispatcher
from cosmos_workflow.gpu_dispatch.ui.view import DispatchView

__all__ = ["DispatchView", "RichDispatcher"]
