"""Implementations of the ports, one outside library each."""
