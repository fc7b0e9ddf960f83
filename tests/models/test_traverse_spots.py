"""Latents on their way: ids, text, drags, averages, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QMimeData, QUrl

from app.models.history import RECORDS_MIME, HistoryModel
from app.models.traverse.latent_files import keep_latent_file, read_facts
from app.models.traverse.spots import (
    LATENTS_MIME,
    Spot,
    average,
    has_spots,
    is_latent,
    short_id,
    source_words,
    spot_from_dict,
    spot_of_file,
    spot_to_dict,
    spots_from_mime,
    spots_from_text,
    spots_to_mime,
    spots_to_text,
)
from app.store import Store
from engine.errors import BadRequest
from engine.messages import BlendLatent, FileLatent, GenerateRequest, SeedLatent, SlerpLatent
from tests.fake_engine import CLASSES, fake_result
from tests.models.traverse_kit import MODEL, spot

SOURCES = st.recursive(
    st.integers(0, 10**6).map(SeedLatent),
    lambda inner: st.one_of(
        st.tuples(inner, inner, st.floats(0, 1)).map(lambda t: SlerpLatent(*t)),
        st.lists(st.tuples(inner, st.floats(0.1, 2)), min_size=1, max_size=3).map(
            lambda parts: BlendLatent(tuple(parts))
        ),
    ),
    max_leaves=4,
)
SPOTS = st.builds(
    Spot,
    st.just(MODEL),
    SOURCES,
    st.one_of(st.none(), st.integers(0, 9), st.just(((1, 0.25), (None, 0.75)))),
    st.floats(0, 3),
    st.text(max_size=10),
)


@given(SPOTS)
def test_a_latent_survives_its_way(one: Spot) -> None:
    assert spot_from_dict(json.loads(json.dumps(spot_to_dict(one)))) == one
    assert spots_from_text(spots_to_text([one])) == [one]


def test_the_short_id_is_of_model_and_source_alone() -> None:
    assert short_id(spot(7)) == short_id(spot(7, label=2, name="other"))
    assert short_id(spot(7)) != short_id(spot(8))
    assert short_id(spot(7)) != short_id(Spot("plain", SeedLatent(7)))
    assert len(short_id(spot(7))) == 10
    assert short_id(spot(7)).isalnum()


def test_text_finds_ids_and_seeds() -> None:
    known = [spot(7)]
    assert spots_from_text(short_id(known[0]).upper(), known) == known
    assert [one.source for one in spots_from_text("12 13", (), MODEL)] == [SeedLatent(12), SeedLatent(13)]
    assert spots_from_text("nothing of ours", known, MODEL) == []
    assert spots_from_text("12", ()) == []  # of which model?
    with pytest.raises(BadRequest, match="not copied whole"):
        spots_from_text(spots_to_text(known)[:-7])


@pytest.mark.parametrize("data", [None, 7, {}, {"model": MODEL}, {"model": MODEL, "source": {"seed": -1}}])
def test_what_is_no_latent_is_said(data: object) -> None:
    with pytest.raises(BadRequest):
        spot_from_dict(data)


def test_an_average_mixes_latents_classes_and_guidance() -> None:
    one, other = spot(1, label=3), Spot(MODEL, SeedLatent(2), 5, guidance=2.0)
    made = average([one, other])
    assert made.source == BlendLatent(((SeedLatent(1), 1.0), (SeedLatent(2), 1.0)))
    assert made.label == ((3, 0.5), (5, 0.5))
    assert made.guidance == 1.0
    assert source_words(made.source) == "average of 2"
    assert average([one, spot(4, label=3)], [3.0, 1.0]).label == 3
    with pytest.raises(BadRequest, match="different models"):
        average([one, Spot("plain", SeedLatent(1))])


def test_a_drag_inside_the_window(qapp: object) -> None:
    history = HistoryModel(Store(None))
    mime = spots_to_mime([spot(1), spot(2)])
    assert has_spots(mime)
    assert spots_from_mime(mime, history) == ([spot(1), spot(2)], [])
    damaged = QMimeData()
    damaged.setData(LATENTS_MIME, b"[{}]")
    spots, troubles = spots_from_mime(damaged, history)
    assert not spots
    assert troubles == ["The latents could not be read. Copy them again."]
    assert not has_spots(QMimeData())


def test_pictures_of_the_history_are_their_seeds(qapp: object) -> None:
    history = HistoryModel(Store(None))
    request = GenerateRequest(MODEL, seed=100, labels=(9, 3), guidance=1.5)
    ids = history.add_result(fake_result(request), CLASSES)
    mime = QMimeData()
    mime.setData(RECORDS_MIME, json.dumps([ids[1], 999]).encode())
    spots, troubles = spots_from_mime(mime, history)
    assert [(one.source, one.label, one.guidance) for one in spots] == [(SeedLatent(101), 3, 1.5)]
    assert spots[0].thumbnail
    assert spots[0].name == "Dress 101"
    assert len(troubles) == 1


def test_files(tmp_path: Path, qapp: object) -> None:
    torch = pytest.importorskip("torch")
    from engine.latents import Latent, write_latent

    file = tmp_path / "boot.safetensors"
    digest = write_latent(file, Latent(torch.zeros(1, 8, 8, dtype=torch.float64), MODEL, 9))
    facts = read_facts(file)
    assert (facts.model, facts.label, facts.shape, facts.sha256) == (MODEL, 9, (1, 8, 8), digest)
    assert is_latent(file)
    kept = spot_of_file(file, folder=tmp_path / "latents")
    assert isinstance(kept.source, FileLatent)
    assert Path(kept.source.path).parent == tmp_path / "latents"
    assert Path(kept.source.path).read_bytes() == file.read_bytes()
    assert keep_latent_file(file, tmp_path / "latents", digest) == Path(kept.source.path)
    mime = QMimeData()
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(file.read_bytes()[:40])
    assert not is_latent(broken)
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in (file, broken, tmp_path / "gone.safetensors")])
    spots, troubles = spots_from_mime(mime, HistoryModel(Store(None)))
    assert [one.name for one in spots] == ["boot"]
    assert "broken.safetensors is not a latent" in troubles[0]
    assert "gone.safetensors" in troubles[1]
