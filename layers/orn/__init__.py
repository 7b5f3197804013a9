"""Oriented Response Networks: filters that are turned, and channels for each way they are turned."""
