"""The bounded contexts: each one the same seven rooms, each one door (`events.py`)."""
