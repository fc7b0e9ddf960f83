"""What the window shows, as state that can be observed. QtCore only: no widget, no torch."""
