"""Toys as engines of another package: how a test has a worker process load random weights, which the program itself refuses."""

from __future__ import annotations

from typing import ClassVar

from cosmos_workflow.engines.chatterbox import ChatterboxSpec
from cosmos_workflow.engines.cosmos_transfer import CosmosTransferSpec
from cosmos_workflow.engines.spec import Availability


class ToyChatterboxSpec(ChatterboxSpec):
    """Chatterbox at the sizes that its folder states."""

    name: ClassVar[str] = "toy-chatterbox"
    title: ClassVar[str] = "Toy voice"
    implementation: ClassVar[str] = "cosmos_workflow.engines.testing.chatterbox.toy_engine:ToyChatterboxEngine"


class ToyCosmosTransferSpec(CosmosTransferSpec):
    """Cosmos Transfer without a guardrail, on any machine."""

    name: ClassVar[str] = "toy-cosmos-transfer"
    title: ClassVar[str] = "Toy clip"
    implementation: ClassVar[str] = "cosmos_workflow.engines.testing.cosmos_transfer.toy_engine:ToyCosmosTransferEngine"

    def availability(self) -> Availability:
        return Availability(True)


CHATTERBOX = ToyChatterboxSpec()
COSMOS_TRANSFER = ToyCosmosTransferSpec()
