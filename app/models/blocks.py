"""Pictures enlarged pixel by pixel, where something of their size-to-be stands in, or is compared."""

from __future__ import annotations

import dataclasses

from engine.messages import Pictures

__all__ = ["enlarged", "of_one_size"]


def enlarged(pictures: Pictures, size: int) -> Pictures:
    """Square pictures in `size`, every pixel a block of that many; unchanged if that does not divide."""
    times = size // pictures.width
    if times <= 1 or pictures.width != pictures.height or times * pictures.width != size:
        return pictures
    import numpy as np  # here: the window opens before it is needed

    shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
    values = np.frombuffer(pictures.data, np.uint8).reshape(shape)
    data = values.repeat(times, axis=1).repeat(times, axis=2).tobytes()
    return dataclasses.replace(pictures, width=size, height=size, data=data)


def of_one_size(left: Pictures, right: Pictures) -> tuple[Pictures, Pictures]:
    """The two with the smaller one enlarged to the other's size; unchanged where that does not divide."""
    return enlarged(left, right.width), enlarged(right, left.width)
