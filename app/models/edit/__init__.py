"""The Edit room's state: pictures that go in, are changed step by step, and come back."""
