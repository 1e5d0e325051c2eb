"""Recordings with known content against the model and the whole system."""
