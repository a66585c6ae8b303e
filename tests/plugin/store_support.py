"""What tests put into a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.runs import Made
from cosmos_workflow.store.store import Store


def publish(store: Store, run_id: str, outputs: Mapping[str, str], metadata: Mapping[str, Any] | None = None) -> RunRecord:
    """`publish_all` for one run; raises what kept it from being published."""
    (done,) = store.runs.publish_all([Made(run_id, outputs, metadata or {})])
    if isinstance(done, WorkflowError):
        raise done
    return done
