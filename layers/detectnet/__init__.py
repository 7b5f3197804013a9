"""DetectNet: the layer that makes its images and labels, and those that list its boxes and count the right ones."""
