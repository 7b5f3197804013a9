"""AttentionMask (Wilms and Frintrop, 2018) and FastMask: proposals of masks from windows of several maps."""
