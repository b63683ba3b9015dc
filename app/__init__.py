"""Orderly: an order and inventory backend that never loses an event."""
