"""Layers of Fast R-CNN, R-FCN and OHEM: what they do with regions of interest."""
