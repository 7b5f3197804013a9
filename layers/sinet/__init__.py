"""SINet (Hu et al., 2018): RoIs are pooled after they are enlarged, and shared out to branches by their size."""
