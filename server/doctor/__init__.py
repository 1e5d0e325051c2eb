"""`antiphon doctor`: tries a language model's address and our parts, and says what to expect."""
