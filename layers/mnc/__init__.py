"""Layers of multi-task network cascades: RoIs and masks that take a gradient."""
