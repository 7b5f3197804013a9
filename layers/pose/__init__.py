"""Layers of pose machines and OpenPose: people and their joints as data, and what follows the heat maps."""
