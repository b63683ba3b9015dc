"""Use cases of orders. Each runs in its caller's transaction and never commits."""
