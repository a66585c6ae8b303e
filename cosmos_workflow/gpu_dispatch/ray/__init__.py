"""The pool on a Ray cluster. The only part of the library that needs Ray, and it is imported when a cluster is joined."""

from .cluster import ClusterError, joined
from .pool import RayPool

__all__ = ["ClusterError", "RayPool", "joined"]
