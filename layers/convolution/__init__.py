"""Layers that slide a kernel over images."""
