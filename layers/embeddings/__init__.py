"""Layers of segaware's Caffe, which learn how alike neighbouring pixels are."""
