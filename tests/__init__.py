"""Tests, in the shape of the house they test."""
