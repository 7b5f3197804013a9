"""Layers of nets that say something of each pixel: which class, whether on an edge."""
