"""A batch of pictures that fills in while it is made."""

from __future__ import annotations

from engine.messages import Pictures

__all__ = ["LiveBatch"]


class LiveBatch:
    """`count` pictures, black until their group has been merged; `begun` holds the indices of those."""

    def __init__(self, count: int, width: int, height: int, channels: int) -> None:
        self.count, self.width, self.height, self.channels = count, width, height, channels
        self._stride = width * height * channels
        self._data = bytearray(count * self._stride)
        self.begun: set[int] = set()

    def fits(self, other: Pictures) -> bool:
        """Whether `other` has pictures of this size."""
        return (other.width, other.height, other.channels) == (self.width, self.height, self.channels)

    def merge(self, first: int, group: Pictures) -> None:
        """Put a group in its place; what lies beyond the batch is left out."""
        count = min(group.count, self.count - first)
        if first < 0 or count <= 0:
            return
        start = first * self._stride
        self._data[start : start + count * self._stride] = group.data[: count * self._stride]
        self.begun.update(range(first, first + count))

    def one(self, index: int) -> Pictures:
        """Picture `index`, black if it is not begun."""
        data = bytes(self._data[index * self._stride : (index + 1) * self._stride])
        return Pictures(1, self.width, self.height, self.channels, data)

    def pictures(self) -> Pictures:
        """A copy of all of it."""
        return Pictures(self.count, self.width, self.height, self.channels, bytes(self._data))
