"""Says where gradient flows in a net, why not elsewhere, and which lines say so."""
