"""`genie tour`: the real window with the real engine, led through every state by mouse and keys."""

from app.tour.command import COMMAND

__all__ = ["COMMAND"]
