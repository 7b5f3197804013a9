"""Layers of MS-CNN and Cascade R-CNN, whose boxes are in pixels."""
