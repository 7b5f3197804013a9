"""Holds a net beside another run of it, layer by layer, and says why they differ."""
