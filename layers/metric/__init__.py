"""Layers that learn distances and angles between features: faces, verification."""
