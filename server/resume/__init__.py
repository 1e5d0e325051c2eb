"""server.resume: a conversation goes on after its connection, or its server, was lost."""
