"""The Traverse room: shelf, pad, stage, timeline and render."""
