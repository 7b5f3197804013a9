"""Multiple instances: what a bag of them is, of which one at least is what its label says."""
