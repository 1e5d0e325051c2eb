"""Any text model, spoken to: state tokens, transcript, reply, speech."""
