"""The workbench: a net beside another run of it, layer by layer."""
