"""Benches: each measures one thing beside a peer or the limit, in one run."""
