"""What layers share; no file here is a layer."""
