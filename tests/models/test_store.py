"""The history file: what goes in comes out, whatever happens to the program or the file."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.store import Filter, Record, Store, StoreError, data_folder, history_path, open_store
from app.store.encoding import encode_result
from app.store.making import Making
from app.store.records import DamagedStore, NewerStore, StoreFull
from app.store.schema import MIGRATIONS, SCHEMA_VERSION, migrate
from engine.images import read_settings
from engine.messages import (
    DEVICES,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    SPACINGS,
    GenerateRequest,
    Pictures,
    request_to_json,
)
from tests.models.history_samples import LABEL_NAMES, PROVENANCE, make_pictures, make_result

EVERYTHING = Filter()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "history.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


# --- round trips -------------------------------------------------------------------------------


def test_a_result_comes_back_whole_after_a_restart(path: Path) -> None:
    result = make_result(3, seed=41, channels=3, guidance=1.5)
    store = Store(path)
    ids = store.add_result(result, LABEL_NAMES)
    store.close()

    store = Store(path)
    assert [store.result(id) for id in ids] == [result] * 3
    records = store.page()
    assert [r.id for r in records] == ids
    assert [r.seed for r in records] == [41, 42, 43]
    assert [r.label_name for r in records] == ["Shirt", "Ankle boot", "Bag"]
    assert [r.index for r in records] == [0, 1, 2]
    assert len({r.job for r in records}) == 1
    assert abs(records[0].created - datetime.now(UTC)) < timedelta(minutes=1)
    details = store.details(ids[1])
    assert (details.record, details.request, details.provenance) == (
        records[1],
        result.request,
        result.provenance,
    )
    assert (details.evaluations, details.evaluations_paper, details.seconds) == (10, 5, 1.25)
    assert details.notices == result.notices
    store.close()


def test_the_png_carries_the_settings(store: Store, tmp_path: Path) -> None:
    result = make_result(2, seed=7)
    ids = store.add_result(result)
    file = tmp_path / "one.png"
    file.write_bytes(store.png(ids[1]))
    saved = read_settings(file)
    assert (saved.request, saved.index, saved.provenance) == (result.request, 1, result.provenance)
    assert store.pictures(ids[1]) == result.pictures.one(1)


def test_a_stopped_result_keeps_what_was_finished(store: Store) -> None:
    result = make_result(5, made=2, seed=3)
    ids = store.add_result(result)
    assert len(ids) == 2
    assert store.result(ids[0]) == result
    assert not result.complete


def test_steps_belong_to_their_image(store: Store) -> None:
    result = make_result(4)
    ids = store.add_result(result)
    for i, id in enumerate(ids):
        strip = store.steps_of(id)
        assert [f.pictures for f in strip] == [f.pictures.one(i) for f in result.steps]
        assert [(f.step, f.t, f.evaluations) for f in strip] == [
            (f.step, f.t, f.evaluations) for f in result.steps
        ]
    (plain,) = store.add_result(dataclasses.replace(make_result(1), steps=()))
    assert store.steps_of(plain) == ()


@pytest.mark.parametrize(("size", "kept"), [(8, 8), (128, 128), (300, 128)])
def test_thumbnails_are_small_and_small_pictures_stay_as_they_are(store: Store, size: int, kept: int) -> None:
    result = make_result(1, size=size, channels=3, frames=0)
    (id,) = store.add_result(result)
    thumbnail = store.thumbnails([id, 10_000])
    assert list(thumbnail) == [id]
    assert store.page()[0].thumbnail == thumbnail[id]
    assert store.page(thumbnails=False)[0].thumbnail == b""
    from app.store.encoding import decode_png

    picture = decode_png(thumbnail[id])
    assert (picture.width, picture.height) == (kept, kept)
    if kept == size:
        assert picture == result.pictures


requests = st.builds(
    GenerateRequest,
    model=st.text(min_size=1, max_size=30),
    seed=st.integers(0, MAX_SEED),
    labels=st.lists(st.none() | st.integers(0, 1_000_000), min_size=1, max_size=4).map(tuple),
    solver=st.text(min_size=1, max_size=12),
    steps=st.integers(1, MAX_STEPS),
    spacing=st.sampled_from(SPACINGS),
    guidance=st.floats(-1, 50),
    guidance_model=st.none() | st.text(min_size=1, max_size=8),
    analytic_first=st.booleans(),
    denoise=st.booleans(),
    t_end=st.floats(1e-5, 0.5),
    device=st.sampled_from([*DEVICES, "cuda:1"]),
    precision=st.sampled_from(PRECISIONS),
    batch=st.integers(0, 10_000),
)


@settings(max_examples=60, deadline=None)
@given(request=requests)
def test_any_request_survives_the_store(request: GenerateRequest) -> None:
    store = Store(None)
    result = dataclasses.replace(
        make_result(1, frames=0),
        request=request,
        pictures=make_pictures(request.count),
        provenance=dataclasses.replace(PROVENANCE, batches=(request.count,)),
    )
    ids = store.add_result(result, LABEL_NAMES)
    assert store.request(ids[-1]) == request
    assert store.result(ids[0]) == result
    assert [r.label for r in store.page()] == list(request.labels)
    assert [r.seed for r in store.page()] == list(request.seeds)
    assert {r.guidance for r in store.page()} == {request.guidance}
    assert store.count(Filter(model=request.model, solver=request.solver)) == request.count
    assert store.count(Filter(text=f"{request.model} {request.seeds[0]}")) >= 1
    store.close()


@settings(max_examples=40, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_settings_come_back(value: object) -> None:
    store = Store(None)
    store.set_setting("window", 1)
    store.set_setting("window", value)
    assert store.get_setting("window", "nothing") == value
    assert store.get_setting("door", "nothing") == "nothing"
    store.close()


# --- filters -----------------------------------------------------------------------------------


def passes(record: Record, f: Filter) -> bool:
    """The filter, spelt out again without SQL."""
    day = record.created.astimezone().date()
    facts = [record.model, record.label_name, record.solver, str(record.seed), record.note]
    return (
        f.model in (None, record.model)
        and f.label in (None, record.label_name)
        and f.solver in (None, record.solver)
        and (record.starred or not f.starred)
        and all(any(word in fact.casefold() for fact in facts) for word in f.text.casefold().split())
        and (f.date_from is None or day >= f.date_from)
        and (f.date_to is None or day <= f.date_to)
    )


@pytest.fixture(scope="module")
def varied() -> Iterator[Store]:
    """A history over five days, with stars, notes and some of it in the trash."""
    store = Store(None)
    start = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    ids: list[int] = []
    cases = itertools.product(("fashion32", "Emoji 64"), ("genie", "ddim", "heun"), range(3))
    for n, (model, solver, day) in enumerate(cases):
        result = make_result(4, model=model, solver=solver, seed=100 * n, frames=0)
        encoded = dataclasses.replace(
            encode_result(Making.of(result)), created=start + timedelta(days=2 * day)
        )
        ids += store.add_encoded(encoded, LABEL_NAMES)
    store.star(ids[::3])
    store.note(ids[5], "For GRANDMOTHER, 100 % 'wool'")
    store.note(ids[9], "straße_1")
    store.delete(ids[::7])
    yield store
    store.close()


def test_filters_agree_with_brute_force(varied: Store) -> None:
    everything = varied.page(limit=10_000)
    assert len(everything) == 72 - 11
    days = (None, date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4), date.min, date.max)
    texts = (
        "",
        "boot",
        "JÄCK",
        "jäckchen genie",
        "100",
        "% '",
        "grandmother fashion",
        "STRASSE_1",
        "_",
        "nowhere",
    )
    cases = [
        Filter(model=m, label=la, solver=s, starred=star)
        for m in (None, "fashion32", "Emoji 64", "emoji 64")
        for la in (None, "Bag", "Nothing")
        for s in (None, "genie", "heun")
        for star in (False, True)
    ]
    cases += [
        Filter(text=text, starred=star, model=m)
        for text in texts
        for star in (False, True)
        for m in (None, "Emoji 64")
    ]
    cases += [Filter(date_from=a, date_to=b, solver=s) for a in days for b in days for s in (None, "ddim")]
    hit = 0
    for case in cases:
        expected = [record for record in everything if passes(record, case)]
        assert varied.page(case, limit=10_000) == expected, case
        assert varied.count(case) == len(expected), case
        ids = [record.id for record in everything[::2]]
        assert [r.id for r in varied.records(ids, case)] == [r.id for r in expected if r.id in ids]
        hit += bool(expected)
    assert 60 < hit < len(cases)


def test_pages_follow_each_other_newest_result_first(varied: Store) -> None:
    whole = varied.page(limit=10_000)
    assert [r.place for r in whole] == sorted(r.place for r in whole)
    paged = [record for offset in range(0, 80, 7) for record in varied.page(offset=offset, limit=7)]
    assert paged == whole


def test_facets_count_what_is_there(varied: Store) -> None:
    everything = varied.page(limit=10_000)
    facets = varied.facets()
    for name, values in (("model", facets.models), ("label_name", facets.labels), ("solver", facets.solvers)):
        held = [getattr(record, name) for record in everything]
        assert dict(values) == {value: held.count(value) for value in held}
        assert [n for _, n in values] == sorted((n for _, n in values), reverse=True)
    assert facets.starred == sum(record.starred for record in everything)


def test_every_page_is_found_through_an_index(store: Store) -> None:
    """The history stays quick however long it gets: no filter sorts it to show a page."""
    for case in (EVERYTHING, Filter(model="a"), Filter(label="a"), Filter(solver="a"), Filter(starred=True)):
        where, values = case.sql()
        sql = f"SELECT id FROM images WHERE {where} ORDER BY job_id DESC, position LIMIT 200"
        plan = [row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert all("USING" in step and "INDEX" in step for step in plan), (case, plan)
        assert not any("TEMP B-TREE" in step for step in plan), (case, plan)


# --- trash -------------------------------------------------------------------------------------


def test_delete_and_undo_bring_back_just_those(store: Store) -> None:
    ids = store.add_result(make_result(5))
    first = store.delete(ids[:2])
    second = store.delete(ids[1:4])
    assert first.ids == tuple(ids[:2])
    assert second.ids == tuple(ids[2:4])  # one was gone already
    assert [r.id for r in store.page()] == ids[4:]
    assert store.record(ids[0]).id == ids[0]
    assert store.result(ids[4]) is None  # not whole any more
    assert store.undo(first) == ids[:2]
    assert store.undo(first) == []
    assert [r.id for r in store.page()] == [ids[0], ids[1], ids[4]]
    store.undo(second)
    assert [r.id for r in store.page()] == ids


def test_purge_takes_only_what_lay_long_enough(store: Store) -> None:
    old = store.add_result(make_result(2))
    kept = store.add_result(make_result(2))
    undo = store.delete([*old, kept[0]])
    assert store.purge(timedelta(days=1)) == 0
    assert store.undo(dataclasses.replace(undo, ids=(kept[0],))) == [kept[0]]
    assert store.purge(timedelta(0)) == 2
    assert store.undo(undo) == []
    with pytest.raises(StoreError, match="no longer in the history"):
        store.png(old[0])
    with pytest.raises(StoreError, match="no longer in the history"):
        store.details(old[0])
    for table, rows in (("jobs", 1), ("images", 2), ("pixels", 2), ("steps", 2)):
        assert store._number(f"SELECT count(*) FROM {table}") == rows


def test_an_id_is_never_used_again(store: Store) -> None:
    """Or an undo of yesterday would bring back a picture of today."""
    ids = store.add_result(make_result(2))
    store.delete(ids)
    store.purge(timedelta(0))
    assert min(store.add_result(make_result(2))) > max(ids)


def test_filmstrips_go_first_when_the_history_grows(path: Path) -> None:
    one = sum(len(image.steps) for image in encode_result(Making.of(make_result(4))).images)
    store = Store(path, step_limit=3 * one + one // 2)
    jobs = [store.add_result(make_result(4)) for _ in range(6)]
    assert store.step_bytes() <= 3 * one + one // 2
    assert store.steps_of(jobs[0][0]) == ()
    assert len(store.steps_of(jobs[-1][3])) == 3
    assert store.step_bytes() == store._number("SELECT sum(length(data)) FROM steps")
    assert store.count() == 24
    assert all(store.png(id) for job in jobs for id in job)
    shown = store.result(jobs[0][0])
    assert shown is not None
    assert shown.steps == ()
    store.close()


# --- older, newer, damaged -----------------------------------------------------------------------


def write_version_1(path: Path) -> tuple[GenerateRequest, list[Pictures]]:
    """A file as the first version left it: a result of two and one of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, to=1)
    request = GenerateRequest("fashion32", seed=5, labels=(1, 3), guidance=2.5, spacing="rho", steps=7)
    encoded = encode_result(Making.of(dataclasses.replace(make_result(2, frames=0), request=request)))
    pictures = [encoded.making.pictures.one(i) for i in range(2)]
    rows = [
        ("job-a", 0, request_to_json(request)),
        ("job-a", 1, request_to_json(request)),
        ("job-b", 0, "{damaged"),
    ]
    for job, position, text in rows:
        image = encoded.images[position]
        connection.execute(
            "INSERT INTO images (job, created, model, label, label_name, solver, steps, seed, width, height,"
            " channels, position, request, png, thumbnail)"
            " VALUES (?, '2025-11-05T10:00:00+00:00', 'fashion32', ?, ?, 'genie', 7, ?, 8, 8, 1, ?, ?, ?, ?)",
            (
                job,
                request.labels[position],
                LABEL_NAMES[request.labels[position] or 0],
                5 + position,
                position,
                text,
                image.png,
                image.thumbnail,
            ),
        )
    connection.execute("INSERT INTO settings VALUES ('app/session', '{\"steps\": 7}')")
    connection.close()
    return request, pictures


def test_a_file_of_the_first_version_is_all_still_there(path: Path) -> None:
    request, pictures = write_version_1(path)
    store = Store(path)
    assert store._number("PRAGMA user_version") == SCHEMA_VERSION == 3
    records = store.page()
    assert [(r.id, r.job, r.index) for r in records] == [(3, "job-b", 0), (1, "job-a", 0), (2, "job-a", 1)]
    assert [store.pictures(id) for id in (1, 2)] == pictures
    assert store.request(2) == request
    first = records[1]
    assert (first.guidance, first.spacing, first.steps, first.seed) == (2.5, "rho", 7, 5)
    assert (first.starred, first.note, first.label_name) == (False, "", "Ankle boot")
    assert first.created == datetime(2025, 11, 5, 10, tzinfo=UTC)
    assert store.details(1).provenance is None
    assert store.steps_of(1) == ()
    assert store.result(1) is None
    assert store.get_setting("session") == {"steps": 7}
    # What is new works on what is old.
    store.star([1])
    store.note(2, "an old one")
    assert [r.id for r in store.page(Filter(starred=True))] == [1]
    assert [r.id for r in store.page(Filter(text="JÄCKCHEN old"))] == [2]
    assert store.delete([1, 2]).ids == (1, 2)
    with pytest.raises(StoreError, match="settings of this image"):
        store.request(3)
    assert store.add_result(make_result(1)) == [4]
    store.close()


def test_a_provenance_from_before_threads_were_noted_is_read(store: Store) -> None:
    (id_,) = store.add_result(make_result(1))
    kept = dataclasses.asdict(PROVENANCE)
    del kept["threads"]
    store._connection.execute("UPDATE jobs SET provenance = ?", (json.dumps({**kept, "batches": [1]}),))
    provenance = store.details(id_).provenance
    assert provenance is not None
    assert (provenance.threads, provenance.batches) == (0, (1,))


def test_a_migration_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_version_1(path)
    before = sqlite3.connect(path)
    rows = before.execute("SELECT * FROM images").fetchall()
    before.close()
    broken = (MIGRATIONS[0], MIGRATIONS[1] + "INSERT INTO nowhere VALUES (1);\n")
    monkeypatch.setattr("app.store.schema.MIGRATIONS", broken)
    with pytest.raises(StoreError, match="nowhere"):
        Store(path)
    after = sqlite3.connect(path)
    assert after.execute("PRAGMA user_version").fetchone() == (1,)
    assert after.execute("SELECT * FROM images").fetchall() == rows
    after.close()


def test_a_newer_file_is_left_alone_and_one_beside_it_used(path: Path) -> None:
    path.parent.mkdir(parents=True)
    newer = sqlite3.connect(path)
    newer.execute("CREATE TABLE dreams (id)")
    newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer.commit()
    newer.close()
    before = path.read_bytes()
    with pytest.raises(NewerStore, match="newer GENIE Studio"):
        Store(path)
    store = open_store(path)
    assert store.path == path.with_name("history-3.sqlite")
    assert "newer GENIE Studio" in store.notice
    assert "history-3.sqlite" in store.notice
    ids = store.add_result(make_result(1))
    store.close()
    again = open_store(path)
    assert [r.id for r in again.page()] == ids
    again.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("harm", ["text", "cut", "foreign", "tables"])
def test_a_damaged_file_is_renamed_and_a_new_one_begun(path: Path, harm: str) -> None:
    path.parent.mkdir(parents=True)
    if harm == "text":
        path.write_text("a letter to grandmother, who never throws anything away\n" * 20)
    elif harm == "foreign":
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE recipes (id)")
        other.close()
    else:
        full = Store(path)
        full.add_result(make_result(16, size=16))
        if harm == "tables":
            full._connection.execute("DROP TABLE steps")
        full.close()
        if harm == "cut":
            path.write_bytes(path.read_bytes()[:20_000])
    before = path.read_bytes()
    with pytest.raises(DamagedStore, match="is damaged"):
        Store(path)
    assert harm != "text" or path.read_bytes() == before
    store = open_store(path)
    (aside,) = [
        file for file in path.parent.iterdir() if ".damaged-" in file.name and "-wal" not in file.name
    ]
    assert aside.name in store.notice
    assert aside.name.startswith(f"history.sqlite.damaged-{date.today().year}")
    if harm in ("text", "cut"):
        assert aside.read_bytes() == before
    assert store.path == path
    assert store.count() == 0
    assert len(store.add_result(make_result(2))) == 2
    store.close()


def test_damage_inside_is_found_after_a_run_that_did_not_end_well(path: Path) -> None:
    store = Store(path)
    ids = store.add_result(make_result(16, size=32))
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    reader = Store.__new__(Store)  # a fresh look at the file, without what the first has cached
    reader.path, reader._damaged = path, False
    reader._connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(DamagedStore, match="At the next start it will be moved aside"):
        reader.png(ids[-1])
    assert reader._damaged
    reader._connection.close()
    store._damaged = True  # it would have met the same page
    store.close()
    fresh = open_store(path)
    assert "is damaged" in fresh.notice
    assert fresh.count() == 0
    fresh.close()


def test_two_damaged_files_a_day_are_both_kept(path: Path) -> None:
    path.parent.mkdir(parents=True)
    for text in ("first", "second"):
        path.write_text(text)
        open_store(path).close()
    kept = {file.read_text() for file in path.parent.glob("*.damaged-*")}
    assert kept == {"first", "second"}


def test_without_a_place_to_write_the_session_stays_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="Couldn't open the history"):
        Store(tmp_path / "file" / "history.sqlite")
    store = open_store(tmp_path / "file" / "history.sqlite")
    assert "will not be there at the next start" in store.notice
    assert len(store.add_result(make_result(2))) == 2
    assert store.path is None
    store.close()


# --- crashes, a full disk, other windows ---------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from app.store import Store
from tests.models.history_samples import make_result
store = Store(Path(sys.argv[1]))
store.add_result(make_result(3, seed=1))
with store.transaction("be killed") as connection:
    connection.execute("UPDATE images SET starred = 1, note = 'half'")
    connection.execute("DELETE FROM jobs")
    connection.execute("PRAGMA cache_spill = 1")
    print("in the middle", flush=True)
    sys.stdin.read()
"""


def test_a_kill_in_the_middle_of_a_transaction_leaves_the_old_state(path: Path, root: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "in the middle\n"
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    store = Store(path)  # also goes through the check that follows a bad end
    assert [(r.seed, r.starred, r.note) for r in store.page()] == [
        (1, False, ""),
        (2, False, ""),
        (3, False, ""),
    ]
    result = store.result(store.page()[0].id)
    assert result == make_result(3, seed=1)
    store.close()


def test_a_full_disk_loses_nothing(store: Store) -> None:
    ids = store.add_result(make_result(2))
    pages = store._number("PRAGMA page_count")
    store._number(f"PRAGMA max_page_count = {pages}")
    result = make_result(8, size=64, channels=3)
    big = encode_result(Making.of(result))
    with pytest.raises(StoreFull, match=r"the disk is full.*untouched.*Free some space"):
        store.add_encoded(big)
    assert [r.id for r in store.page()] == ids
    assert store._number("SELECT count(*) FROM jobs") == 1
    store._number("PRAGMA max_page_count = 1000000")
    assert store.result(store.add_encoded(big)[0]) == result


def test_another_window_that_writes_is_waited_for_then_named(store: Store, path: Path) -> None:
    store.add_result(make_result(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._connection.execute("PRAGMA busy_timeout = 20")
    with pytest.raises(StoreError, match="another GENIE Studio is writing"):
        store.star([1])
    assert store.count() == 1  # reading goes on
    second = Store(path)  # and a second window can start
    second.close()
    other.execute("ROLLBACK")
    other.close()
    store.star([1])
    assert store.page()[0].starred


def test_the_store_refuses_another_thread(store: Store) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            store.count()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert isinstance(caught[0], sqlite3.ProgrammingError)


def test_a_damaged_picture_does_not_take_the_others_with_it(store: Store) -> None:
    ids = store.add_result(make_result(2))
    store._connection.execute("UPDATE pixels SET png = x'00112233' WHERE image_id = ?", (ids[0],))
    with pytest.raises(StoreError, match=f"image {ids[0]} of the history"):
        store.pictures(ids[0])
    assert store.pictures(ids[1]) == make_result(2).pictures.one(1)
    store._connection.execute("UPDATE steps SET data = x'00112233' WHERE image_id = ?", (ids[0],))
    assert store.steps_of(ids[0]) == ()
    assert len(store.steps_of(ids[1])) == 3


def test_size_is_told(store: Store, path: Path) -> None:
    store.add_result(make_result(16, size=32))
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert store.total_bytes() == path.stat().st_size
    assert 0 < store.step_bytes() < store.total_bytes()
    strips = [row[0] for row in store.rows("SELECT data FROM steps")]
    assert {len(zlib.decompress(data)) for data in strips} == {3 * 32 * 32}


def test_a_note_of_half_a_character_is_kept_as_far_as_it_goes(store: Store) -> None:
    (id,) = store.add_result(make_result(1))
    store.note(id, "a\ud83d z")
    assert store.record(id).note == "a? z"


def test_the_data_folder_follows_the_environment(genie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder() == genie_home
    assert history_path() == genie_home / "history.sqlite"
    monkeypatch.delenv("GENIE_HOME")
    assert data_folder().name == "GENIE Studio"


def test_a_setting_that_was_damaged_is_the_default(store: Store) -> None:
    store.set_setting("session", {"steps": 3})
    store._connection.execute("UPDATE settings SET value = '{' WHERE key = 'app/session'")
    assert store.get_setting("session", {}) == {}
    assert json.dumps(store.get_setting("session")) == "null"
