"""The engine whose language model is SmolLM2: a cascade of which every part is on this machine."""
