"""The tree of edits, its place in the store, and the one file a session is exported as."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.models.edit.bundle import read_bundle, write_bundle
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, EditTree, fresh_id
from app.store import Store
from app.store.edits import DirectionRow, EditFiles, EditStore
from engine.errors import BadImage, BadRequest, EngineError
from engine.messages import FileLatent, Pictures, PngImage
from engine.messages.edit import AttributeEdit, EditRequest
from engine.messages.encode import Photo
from tests.fake_edits import fake_latent, png_of


def picture(level: int, size: int = 8) -> Pictures:
    return Pictures(1, size, size, 1, bytes([level]) * (size * size))


def node(
    files: EditFiles, name: str, parent: str | None = None, level: int = 0, kind: str = "class"
) -> EditNode:
    kept = {"picture": files.put(png_of(picture(level)), "png")}
    if parent is None:
        kept["latent"] = files.put(fake_latent(bytes([level])), "safetensors")
    kind = "picture" if parent is None else kind
    return EditNode(fresh_id(), parent, kind, name, kept, None, {"label": level, "psnr": None})


@pytest.fixture
def family(sessions: Sessions) -> dict[str, EditNode]:
    """root - a - a2 and root - b; b is the current one."""
    made = {"root": node(sessions.files, "root")}
    sessions.create("family", "fashion32", [made["root"]])
    for name, parent in (("a", "root"), ("a2", "a"), ("b", "root")):
        sessions.go_to(made[parent].id)
        made[name] = node(sessions.files, name, made[parent].id, len(made))
        sessions.add(made[name])
    return made


# --- the tree


def test_a_chain_goes_straight_down_and_branches_stand_aside(
    sessions: Sessions, family: dict[str, EditNode]
) -> None:
    rows = sessions.tree.rows()
    drawn = [(row.node.name, row.lane, row.branch, sorted(row.passing)) for row in rows]
    assert drawn == [
        ("root", 0, False, []),
        ("b", 1, True, [0]),
        ("a", 0, False, []),
        ("a2", 0, False, []),
    ]
    assert [row.last for row in rows] == [False, True, False, True]


def test_undo_goes_to_the_parent_and_redo_down_the_branch_it_came_from(
    sessions: Sessions, family: dict[str, EditNode]
) -> None:
    tree = sessions.tree
    assert tree.back() is family["root"]
    tree.go_to(family["a2"].id)
    tree.go_to(family["root"].id)
    assert tree.forward() is family["a"]
    tree.go_to(family["b"].id)
    tree.go_to(family["root"].id)
    assert tree.forward() is family["b"]
    assert tree.root(family["a2"]) is family["root"]


def test_a_node_without_its_parent_is_refused() -> None:
    tree = EditTree()
    orphan = EditNode("1", "nobody", "class", "x", {"picture": "p"})
    with pytest.raises(BadRequest, match="parent is not there"):
        tree.add(orphan)
    assert len(tree) == 0


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "class"},
        {"kind": "nonsense", "files": {"picture": "p"}},
        {"kind": "class", "files": {"latent": "p"}},
        {"kind": "class", "files": {"picture": 3}},
        {"kind": "class", "files": {"picture": "p"}, "request": "text"},
        {"kind": "class", "files": {"picture": "p"}, "facts": []},
    ],
)
def test_damaged_nodes_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        EditNode.from_data("1", None, "x", data)


def test_a_node_survives_its_data() -> None:
    one = EditNode("1", "0", "mask", "x", {"picture": "p", "mask": "m"}, {"kind": "edit"}, {"psnr": 3.0})
    again = EditNode.from_data(one.id, one.parent, one.name, json.loads(json.dumps(one.to_data())))
    assert again == one


# --- sessions and the store


def test_everything_is_back_after_a_restart(
    store: Store, sessions: Sessions, family: dict[str, EditNode]
) -> None:
    sessions.rename("renamed")
    sessions.rename_edit(family["a"].id, "another name")
    sessions.go_to(family["a2"].id)
    again = Sessions(EditStore(store))
    [listed] = again.listed()
    assert (listed.name, listed.model, listed.edits) == ("renamed", "fashion32", 4)
    assert again.open(listed.id)
    assert [n.name for n in again.tree] == ["root", "another name", "a2", "b"]
    assert again.current is not None
    assert again.current.name == "a2"
    assert again.current.to_data() == family["a2"].to_data()
    assert again.picture(again.current) == sessions.picture(family["a2"])


def test_deleting_takes_the_branch_and_undo_brings_it_back(
    store: Store, sessions: Sessions, family: dict[str, EditNode]
) -> None:
    sessions.go_to(family["a"].id)
    sessions.delete_edit(family["a"].id)
    assert [n.name for n in sessions.tree] == ["root", "b"]
    assert sessions.current is family["root"]
    assert len(EditStore(store).edits(sessions.id)) == 2
    assert sessions.undo()
    assert [n.name for n in sessions.tree] == ["root", "a", "a2", "b"]
    assert [row.name for row in EditStore(store).edits(sessions.id)] == ["root", "a", "a2", "b"]
    assert sessions.redo()
    assert [n.name for n in sessions.tree] == ["root", "b"]


def test_undo_and_redo_walk_the_tree_and_lose_nothing(
    sessions: Sessions, family: dict[str, EditNode]
) -> None:
    names = []
    while sessions.undo():
        assert sessions.current is not None
        names.append(sessions.current.name)
    assert names[-1] == "root"
    assert len(sessions.tree) == 4
    assert sessions.redo()
    assert sessions.current is not None
    assert sessions.current.name != "root"


def test_renaming_can_be_undone_and_nothing_is_not_a_name(
    sessions: Sessions, family: dict[str, EditNode]
) -> None:
    sessions.rename_edit(family["b"].id, "  ")
    assert sessions.tree.node(family["b"].id).name == "b"
    sessions.rename_edit(family["b"].id, "bee")
    assert sessions.tree.node(family["b"].id).name == "bee"
    sessions.undo()
    assert sessions.tree.node(family["b"].id).name == "b"


def test_a_deleted_session_comes_back_with_undo(sessions: Sessions, family: dict[str, EditNode]) -> None:
    id = sessions.id
    sessions.delete(id)
    assert sessions.id == ""
    assert sessions.listed() == []
    sessions.undo()
    assert sessions.id == id
    assert len(sessions.tree) == 4


def test_files_of_deleted_edits_go_when_the_store_closes(
    store: Store, sessions: Sessions, family: dict[str, EditNode]
) -> None:
    folder = sessions.files.folder
    gone = family["b"].files["picture"]
    assert (folder / gone).is_file()
    sessions.delete_edit(family["b"].id)
    sessions.store.close()
    left = {path.name for path in folder.iterdir()}
    assert left == {file for name in ("root", "a", "a2") for file in family[name].files.values()}


def test_a_file_that_was_changed_or_is_gone_is_told(sessions: Sessions, family: dict[str, EditNode]) -> None:
    told: list[str] = []
    sessions.notice.connect(lambda words, _kind, _undo: told.append(words))
    path = sessions.files.path(family["a"].files["picture"])
    path.write_bytes(png_of(picture(99)))
    assert sessions.picture(family["a"]) is None
    path.unlink()
    assert sessions.picture(family["a"]) is None
    assert "changed by something else" in told[0]
    assert "is gone" in told[1]


def test_without_a_file_sessions_live_in_memory(qapp: object) -> None:
    store = Store(None)
    sessions = Sessions(EditStore(store))
    folder = sessions.files.folder
    sessions.create("x", "m", [node(sessions.files, "root")])
    assert sessions.picture(next(iter(sessions.tree))) == picture(0)
    sessions.store.close()
    store.close()
    assert not folder.exists()


def test_directions_are_kept_by_model(sessions: Sessions) -> None:
    sessions.store.add_direction(DirectionRow("1", "sleeves", "fashion32", {"file": "x"}))
    assert [row.name for row in sessions.store.directions("fashion32")] == ["sleeves"]
    assert sessions.store.directions("other") == []
    sessions.store.delete_direction("1")
    assert sessions.store.directions("fashion32") == []


# --- one file


def export(sessions: Sessions, path: Path) -> Path:
    write_bundle(path, sessions.name, sessions.model, sessions.tree, sessions.files)
    return path


def test_a_session_opens_on_another_machine(
    sessions: Sessions, family: dict[str, EditNode], tmp_path: Path
) -> None:
    direction = sessions.files.put(fake_latent(b"d"), "safetensors")
    request = EditRequest(
        "fashion32",
        source=Photo(PngImage(png_of(picture(1)))),
        edit=AttributeEdit(FileLatent(str(sessions.files.path(direction)))),
    )
    made = node(sessions.files, "with request", family["b"].id, 9, "attribute")
    made = EditNode(
        made.id, made.parent, made.kind, made.name, {**made.files, "direction": direction},
        {"kind": request.kind, **request.to_dict()}, made.facts,
    )  # fmt: skip
    sessions.add(made)
    path = export(sessions, tmp_path / "x.zip")
    assert str(tmp_path) not in zipfile.ZipFile(path).read("edits.json").decode()
    there = EditFiles(tmp_path / "elsewhere")
    bundle = read_bundle(path, there)
    assert (bundle.name, bundle.model) == ("family", "fashion32")
    assert [n.name for n in bundle.nodes] == ["root", "a", "a2", "b", "with request"]
    assert [n.facts for n in bundle.nodes] == [n.facts for n in sessions.tree]
    for ours, theirs in zip(sessions.tree, bundle.nodes, strict=True):
        assert dict(ours.files) == dict(theirs.files)
        assert ours.id != theirs.id
        for file in theirs.files.values():
            assert there.get(file) == sessions.files.get(file)
    parents = {n.id: n.name for n in bundle.nodes}
    assert [parents.get(n.parent or "") for n in bundle.nodes] == [None, "root", "a", "root", "b"]
    assert bundle.nodes[-1].id == bundle.current
    kept = bundle.nodes[-1].request
    assert kept is not None
    assert kept["edit"]["direction"]["file"] == str(there.path(direction))


def test_a_file_can_be_opened_twice(sessions: Sessions, family: dict[str, EditNode], tmp_path: Path) -> None:
    path = export(sessions, tmp_path / "x.zip")
    for _ in range(2):
        bundle = read_bundle(path, sessions.files)
        sessions.create(bundle.name, bundle.model, bundle.nodes)
    assert len(sessions.listed()) == 3


def rewrite(path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def listing(**changes: object) -> Callable[[dict[str, bytes]], object]:
    def change(entries: dict[str, bytes]) -> None:
        data = json.loads(entries["edits.json"])
        entries["edits.json"] = json.dumps({**data, **changes}).encode()

    return change


def first_edit(**changes: object) -> Callable[[dict[str, bytes]], object]:
    def change(entries: dict[str, bytes]) -> None:
        data = json.loads(entries["edits.json"])
        data["edits"][0].update(changes)
        entries["edits.json"] = json.dumps(data).encode()

    return change


def swap_a_picture(entries: dict[str, bytes]) -> None:
    name = next(name for name in entries if name.startswith("images/"))
    entries[name] = png_of(picture(77))


def drop_a_picture(entries: dict[str, bytes]) -> None:
    del entries[next(name for name in entries if name.startswith("images/"))]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (listing(version=2), "newer GENIE Studio"),
        (listing(version="two"), "newer GENIE Studio"),
        (listing(format="other"), "not one of edits"),
        (listing(edits=[]), "no edits"),
        (listing(edits=[1]), "damaged"),
        (first_edit(files={"picture": "../../evil.png"}), "none of edits"),
        (first_edit(files={"picture": "/etc/passwd"}), "none of edits"),
        (first_edit(parent="nobody"), "parent is not there"),
        (first_edit(kind="virus"), "damaged"),
        (first_edit(request={"kind": "edit"}), "edit"),
        (swap_a_picture, "not what it was"),
        (drop_a_picture, "is not in it"),
        (lambda entries: entries.pop("edits.json"), "not one of edits"),
        (lambda entries: entries.update({"edits.json": b"{" * 100_000}), "damaged"),
    ],
)
def test_hostile_files_are_refused_and_nothing_is_kept(
    sessions: Sessions,
    family: dict[str, EditNode],
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], object],
    words: str,
) -> None:
    path = export(sessions, tmp_path / "x.zip")
    rewrite(path, change)
    there = EditFiles(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match=words):
        read_bundle(path, there)
    assert not (tmp_path / "elsewhere").exists()
    assert len(sessions.tree) == 4


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(BadImage, match="no zip"):
        read_bundle(path, EditFiles(tmp_path / "f"))
    with pytest.raises(BadImage, match="Couldn't read"):
        read_bundle(tmp_path / "missing.zip", EditFiles(tmp_path / "f"))


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("edits.json", b" " * 70_000_000)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(BadImage, match="unpacks to more"):
        read_bundle(path, EditFiles(tmp_path / "f"))


# --- what the store refuses is not said to be done


def lock(store: Store, on: bool) -> None:
    """Nothing can be written, as where another window writes or the disk is full."""
    store._connection.execute(f"PRAGMA query_only = {int(on)}")


@pytest.fixture
def told(sessions: Sessions) -> list[str]:
    words: list[str] = []
    sessions.notice.connect(lambda text, _kind, _undo: words.append(text))
    return words


def names(sessions: Sessions) -> list[str]:
    return [n.name for n in sessions.tree]


def test_a_session_that_could_not_be_deleted_is_still_there(
    store: Store, sessions: Sessions, family: dict[str, EditNode], told: list[str]
) -> None:
    id = sessions.id
    lock(store, True)
    sessions.delete(id)
    assert (sessions.id, len(told)) == (id, 1)
    assert told[0].startswith("Couldn't delete the session")
    lock(store, False)
    sessions.delete(id)
    lock(store, True)
    assert sessions.undo()
    assert told[-1].startswith("Couldn't bring back the session")
    assert sessions.listed() == []
    lock(store, False)
    assert sessions.undo()
    assert told[-1] == "Undone: session family deleted."
    assert sessions.id == id


def test_an_edit_that_could_not_be_deleted_or_brought_back(
    store: Store, sessions: Sessions, family: dict[str, EditNode], told: list[str]
) -> None:
    lock(store, True)
    sessions.delete_edit(family["a"].id)
    assert names(sessions) == ["root", "a", "a2", "b"]
    assert len(told) == 1
    lock(store, False)
    sessions.delete_edit(family["a"].id)
    lock(store, True)
    assert sessions.undo()
    assert names(sessions) == ["root", "b"]
    assert told[-1].startswith("Couldn't bring back the edits")
    lock(store, False)
    assert sessions.undo()
    assert told[-1] == "Undone: a and 1 more deleted."
    lock(store, True)
    assert sessions.redo()
    assert told[-1].startswith("Couldn't delete the edits")
    assert (
        names(sessions)
        == ["root", "a", "a2", "b"]
        == [row.name for row in EditStore(store).edits(sessions.id)]
    )
    lock(store, False)
    assert sessions.redo()
    assert names(sessions) == ["root", "b"]


def test_a_name_that_could_not_be_kept_is_not_given(
    store: Store, sessions: Sessions, family: dict[str, EditNode], told: list[str]
) -> None:
    id = family["b"].id
    lock(store, True)
    sessions.rename_edit(id, "bee")
    assert sessions.tree.node(id).name == "b"
    lock(store, False)
    sessions.rename_edit(id, "bee")
    lock(store, True)
    assert sessions.undo()
    assert sessions.tree.node(id).name == "bee"
    assert told[-1].startswith("Couldn't keep the edit")
    lock(store, False)
    assert sessions.undo()
    assert sessions.tree.node(id).name == "b"


def test_what_another_window_has_thrown_away_is_said_to_be_gone(
    store: Store, sessions: Sessions, family: dict[str, EditNode], told: list[str]
) -> None:
    sessions.delete_edit(family["a2"].id)
    EditStore(store).close()  # it empties the trash
    assert sessions.undo()
    assert told[-1] == "a2 is not kept any more."
    assert names(sessions) == ["root", "a", "b"]
    sessions.delete(sessions.id)
    EditStore(store).close()
    assert sessions.undo()
    assert told[-1] == "Session family is not kept any more."
    assert not sessions.undo_list.can_redo


def test_an_edit_comes_back_only_to_the_one_it_came_of(
    store: Store, sessions: Sessions, family: dict[str, EditNode], told: list[str]
) -> None:
    buttons: list[object] = []
    sessions.notice.connect(lambda _text, _kind, undo: buttons.append(undo))
    sessions.delete_edit(family["a2"].id)
    sessions.delete_edit(family["a"].id)
    first = buttons[0]
    assert callable(first)
    first()
    assert told[-1] == "a2 came of an edit that is deleted as well. Bring that back first."
    assert names(sessions) == ["root", "b"]
    assert sessions.undo()
    assert sessions.undo()
    assert names(sessions) == ["root", "a", "a2", "b"]
    assert [row.name for row in EditStore(store).edits(sessions.id)] == ["root", "a", "a2", "b"]


def test_what_a_full_disk_left_in_memory_is_deleted_and_brought_back_there(
    store: Store, sessions: Sessions, family: dict[str, EditNode]
) -> None:
    lock(store, True)
    sessions.go_to(family["b"].id)
    only = node(sessions.files, "only", family["b"].id, 9)
    sessions.add(only)
    lock(store, False)
    sessions.delete_edit(only.id)
    assert "only" not in names(sessions)
    assert sessions.undo()
    assert "only" in names(sessions)


def test_the_session_of_the_last_edit_goes_and_comes_with_it_or_not_at_all(
    store: Store, sessions: Sessions, family: dict[str, EditNode], told: list[str]
) -> None:
    sessions.delete_edit(family["root"].id)
    assert sessions.listed() == []
    lock(store, True)
    assert sessions.undo()
    assert (names(sessions), sessions.listed()) == ([], [])
    lock(store, False)
    assert sessions.undo()
    assert [row.edits for row in sessions.listed()] == [4]
