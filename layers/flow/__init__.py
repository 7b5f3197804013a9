"""Layers of FlowNet2: nets of optical flow and disparity. Most have no code for the CPU there: these are its GPU's."""
