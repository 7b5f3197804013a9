"""Layers that weigh the pixels around each pixel, by maps that the net computes."""
