"""The layer that makes DetectNet's images and labels."""
