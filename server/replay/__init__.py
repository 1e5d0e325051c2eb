"""A recorded session goes through the core again and explains itself."""
