"""Says where gradient flows in a net, why it does not elsewhere, and which lines of the prototxt are the cause."""
