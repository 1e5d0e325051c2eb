"""models.engines.cascade: any text model, spoken to: state tokens, transcript, reply, speech."""
