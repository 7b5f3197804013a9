"""The fast engine: faster ways to compute what one or several layers compute, and the rules for which layers."""
