"""server.draining: how a server leaves without cutting the calls that it has."""
