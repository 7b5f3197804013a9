"""Layers of region proposal networks (Faster R-CNN)."""
