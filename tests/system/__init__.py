"""Tests of what crosses rooms: real processes, spoken to over HTTP."""
