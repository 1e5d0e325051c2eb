"""Whose voice is it: an embedding of a voice, computed with numpy and onnxruntime."""
