"""Draws a net as a picture."""
