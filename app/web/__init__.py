"""What every route shares: problem details, idempotency, keys, paging, limits, health."""
