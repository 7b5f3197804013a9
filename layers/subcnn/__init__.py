"""Layers of SubCNN: a pyramid of features, and RoIs from its heatmaps."""
