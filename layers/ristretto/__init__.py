"""Numbers of few bits: Ristretto's layers."""
