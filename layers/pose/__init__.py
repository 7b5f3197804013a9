"""Layers of OpenPose: what follows the heat maps of joints."""
