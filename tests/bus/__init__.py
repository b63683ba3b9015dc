"""Tests of the bus, room by room."""
