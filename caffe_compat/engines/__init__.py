"""Who runs a net: one Engine object a net, strict, fast or torch."""
