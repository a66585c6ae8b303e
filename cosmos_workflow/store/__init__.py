"""What outlives the process: prompts, input files, runs and their folders, and the queues' journal."""

from cosmos_workflow.files import Disk
from cosmos_workflow.store.records import LOCAL, CostSample, Finding, InputFile, RunRecord, Swept
from cosmos_workflow.store.store import Store, repair_workspace

__all__ = ["LOCAL", "CostSample", "Disk", "Finding", "InputFile", "RunRecord", "Store", "Swept", "repair_workspace"]
