"""What layers compute, as steps of a program: one file for each kind of step."""
