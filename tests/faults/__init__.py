"""Faults on real processes and real engines, and planted bugs that prove the checks see."""
