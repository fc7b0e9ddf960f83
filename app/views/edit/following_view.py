"""A zooming surface that others follow: what is looked at in one is looked at in all."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal

from app.views.zoom_view import ZoomView

__all__ = ["FollowingView", "link"]


class FollowingView(ZoomView):
    """`looked` says where it was zoomed and panned to; a zoom of 0 stands for "all of it"."""

    looked = Signal(float, QPoint)

    _follows = False  # just now, so that it does not answer itself

    def follow(self, zoom: float, origin: QPoint) -> None:
        """Look where another view does."""
        if self._follows or not self.isVisible():
            return
        self._follows = True
        try:
            if zoom == 0.0:
                self.fit()
            else:
                self._fitted = False
                self._place(zoom, origin)
        finally:
            self._follows = False

    def _place(self, zoom: float, origin: QPoint) -> None:
        before = (self._zoom, QPoint(self._origin))
        super()._place(zoom, origin)
        if not self._follows and before != (self._zoom, self._origin):
            self.looked.emit(0.0 if self._fitted else self._zoom, self.origin)


def link(one: FollowingView, other: FollowingView) -> None:
    """Each follows the other."""
    one.looked.connect(other.follow)
    other.looked.connect(one.follow)
