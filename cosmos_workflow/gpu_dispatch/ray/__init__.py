"""The pool on a Ray cluster. The only part of the library that needs Ray, and it is imported when a cluster is joined."""

from cosmos_workflow.gpu_dispatch.ray.cluster import ClusterError, joined
from cosmos_workflow.gpu_dispatch.ray.pool import RayPool

__all__ = ["ClusterError", "RayPool", "joined"]
