"""The window: views over observable models over an engine in a thread of its own."""
