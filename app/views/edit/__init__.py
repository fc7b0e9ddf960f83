"""The Edit room: a picture goes in, is seen to come back, and is changed step by step."""
