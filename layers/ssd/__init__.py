"""Layers of SSD."""
