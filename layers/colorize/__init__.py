"""Automatic colorization (gustavla): hypercolumns and histograms of colours at places that are drawn."""
