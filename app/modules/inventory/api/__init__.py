"""The REST API of inventory."""
