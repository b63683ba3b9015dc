"""Tests of the console: its pages through the whole application, without a browser."""
