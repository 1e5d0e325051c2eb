"""Recognisers of speech that the cascade can listen with."""
