"""The edits of one session as a tree: every edit keeps its parent, so nothing is ever lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.models.edit.facts import sound_facts
from engine.errors import BadRequest

__all__ = ["KINDS", "EditNode", "EditTree", "Row", "fresh_id"]

# kind -> what a person calls such an edit
KINDS = {
    "picture": "Picture",
    "class": "Class",
    "blend": "Blend",
    "vary": "Variation",
    "mask": "Mask",
    "attribute": "Attribute",
    "paint": "Paint",
}


def fresh_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class EditNode:
    """One state of the picture and how it was come by.

    `files` are names of `EditFiles` by role: "picture" always, of an encoded one "latent",
    "round_trip", of a mask "mask", and so on. `request` is what the engine was asked, as plain
    values; `facts` are the figures shown beside the picture.
    """

    id: str
    parent: str | None
    kind: str
    name: str
    files: Mapping[str, str]
    request: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_data(self) -> dict[str, Any]:
        """What is kept beside id, parent and name."""
        return {
            "kind": self.kind,
            "files": dict(self.files),
            "request": None if self.request is None else dict(self.request),
            "facts": dict(self.facts),
            "created": self.created,
        }

    @classmethod
    def from_data(cls, id: str, parent: str | None, name: str, data: Mapping[str, Any]) -> EditNode:
        """The node of `to_data`; a `BadRequest` for what can't be one."""
        files, facts = data.get("files"), data.get("facts", {})
        request = data.get("request")
        kind = data.get("kind")
        if (
            kind not in KINDS
            or not isinstance(files, Mapping)
            or "picture" not in files
            or not all(isinstance(v, str) for v in (*files, *files.values()))
            or not isinstance(facts, Mapping)
            or not (request is None or isinstance(request, Mapping))
        ):
            raise BadRequest(f"The edit {str(name)[:40]!r} is damaged: it is none of ours.")
        created = data.get("created")
        return cls(id, parent, str(kind), name, dict(files), request, sound_facts(facts), str(created or ""))


@dataclass(frozen=True)
class Row:
    """A line of the tree as it is drawn: `lane` is its indent, `lanes` those that pass it by."""

    node: EditNode
    lane: int
    parent_lane: int  # -1: a root
    branch: bool  # begins a lane of its own
    last: bool  # nothing follows in its lane
    passing: frozenset[int] = frozenset()


class EditTree:
    """Nodes in the order they were made, and the one a person is at. Roots have no parent."""

    def __init__(self) -> None:
        self._nodes: dict[str, EditNode] = {}
        self._current: str | None = None
        self._preferred: dict[str, str] = {}  # parent -> the child visited last: where redo goes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[EditNode]:
        return iter(self._nodes.values())

    def __contains__(self, id: object) -> bool:
        return id in self._nodes

    def copy(self) -> EditTree:
        """Another tree of the same nodes, which stays as it is."""
        tree = EditTree()
        tree._nodes, tree._current = dict(self._nodes), self._current
        return tree

    def node(self, id: str) -> EditNode:
        return self._nodes[id]

    @property
    def current(self) -> EditNode | None:
        return self._nodes.get(self._current) if self._current is not None else None

    def children(self, id: str | None) -> list[EditNode]:
        return [node for node in self._nodes.values() if node.parent == id]

    def parent(self, node: EditNode) -> EditNode | None:
        return self._nodes.get(node.parent) if node.parent is not None else None

    def root(self, node: EditNode) -> EditNode:
        """The picture that all of these edits started from."""
        while (parent := self.parent(node)) is not None:
            node = parent
        return node

    def branch(self, id: str) -> list[EditNode]:
        """A node and all that came of it."""
        found = [self._nodes[id]]
        for node in found:
            found.extend(self.children(node.id))
        return found

    def add(self, node: EditNode) -> None:
        """A new node, which then is the current one."""
        if node.id in self._nodes or (node.parent is not None and node.parent not in self._nodes):
            raise BadRequest(f"The edit {node.name!r} can't be put into this tree: its parent is not there.")
        self._nodes[node.id] = node
        self.go_to(node.id)

    def replace(self, node: EditNode) -> None:
        """Another name or other facts of a node that is there."""
        self._nodes[node.id] = node

    def remove(self, id: str) -> list[EditNode]:
        """Take a node and all that came of it out; what was taken, the parent before its children."""
        gone = self.branch(id)
        parent = self._nodes[id].parent
        siblings = [node.id for node in self.children(parent) if node.id != id]
        for node in gone:
            del self._nodes[node.id]
        if self._current not in self._nodes:
            self._current = parent or (siblings[-1] if siblings else next(iter(self._nodes), None))
        return gone

    def put_back(self, nodes: list[EditNode], order: list[str]) -> None:
        """What `remove` took, at its place: `order` are all ids as they were."""
        everything = {**self._nodes, **{node.id: node for node in nodes}}
        places = {id: place for place, id in enumerate(order)}
        ids = sorted(everything, key=lambda id: places.get(id, len(order)))
        self._nodes = {id: everything[id] for id in ids}
        if nodes:
            self.go_to(nodes[0].id)

    @property
    def order(self) -> list[str]:
        return list(self._nodes)

    def go_to(self, id: str) -> None:
        """Be at this node; on the way back down, its branch is taken."""
        self._current = id
        node = self._nodes[id]
        while (parent := self.parent(node)) is not None:
            self._preferred[parent.id] = node.id
            node = parent

    def back(self) -> EditNode | None:
        """The node before the current one; None at a root."""
        return self.parent(self.current) if self.current is not None else None

    def forward(self) -> EditNode | None:
        """The node after the current one: the child visited last, or the newest; None at a leaf."""
        if self.current is None:
            return None
        children = self.children(self.current.id)
        preferred = self._preferred.get(self.current.id)
        return next((c for c in children if c.id == preferred), children[-1] if children else None)

    def rows(self) -> list[Row]:
        """The tree as lines: a chain goes straight down, every further branch has a lane of its own."""
        rows: list[Row] = []
        below: dict[str | None, list[EditNode]] = {}
        for node in self._nodes.values():
            below.setdefault(node.parent, []).append(node)
        # (node, lane, parent's lane, branch). The first child goes straight on in its parent's lane;
        # the branches stand between the two, each in a lane to the right.
        waiting: list[tuple[EditNode, int, int, bool]] = [
            (root, 0, -1, False) for root in reversed(below.get(None, []))
        ]
        while waiting:
            node, lane, parent_lane, branch = waiting.pop()
            children = below.get(node.id, [])
            passing = frozenset(start for _, _, start, _ in waiting if start >= 0)
            rows.append(Row(node, lane, parent_lane, branch, not children, passing))
            for number, child in enumerate(children):
                straight = number == 0
                waiting.append((child, lane if straight else lane + 1, lane, not straight))
        return rows
