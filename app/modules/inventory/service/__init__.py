"""Use cases of inventory. Each runs in its caller's transaction and never commits."""
