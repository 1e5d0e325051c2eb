"""models.synthesizers: speech for checkpoints that have no speech decoder."""
