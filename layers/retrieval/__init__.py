"""Layers of nets that retrieve and label images: bilinear features, binary codes, several labels an image."""
