"""Speech for checkpoints that have no speech decoder."""
