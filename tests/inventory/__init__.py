"""Tests of inventory, room by room."""
