"""Layers that bring data, and those that write it."""
