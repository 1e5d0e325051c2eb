"""The replay room: a recorded session goes through the core again and explains itself."""
