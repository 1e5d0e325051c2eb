"""The caller's room: someone on the telephone, and the clock that measures the answer."""
