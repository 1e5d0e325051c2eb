"""The evaluation room: recordings with known content against the model and the whole system."""
