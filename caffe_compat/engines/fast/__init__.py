"""Faster ways to compute what one or several layers compute. Which layers they stand in for, the engine decides."""
