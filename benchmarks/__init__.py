"""Scenes played through a real server by a simulated caller, and scored."""
