"""Tests of orders, room by room."""
