"""Layers that find the action units of faces."""
