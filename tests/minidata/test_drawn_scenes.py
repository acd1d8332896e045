"""Pictures of the embedded sets, redrawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from e2kd_lab.data.images import read_image
from e2kd_lab.data.scenes import Amount, Choice
from e2kd_lab.minidata import minibirds, minivoc
from e2kd_lab.minidata.drawn_scenes import BirdScene, ObjectScene
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.minidata.minivoc import MiniVoc, make_minivoc
from e2kd_lab.system.errors import DataError

BIRDS = MiniBirds(size=32, train=(2, 2), val=1, test=3, teacher=1)
OBJECTS = MiniVoc(size=48, train=1, val=1, test=12)


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_minibirds(tmp_path_factory.mktemp("birds") / "set", BIRDS)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_minivoc(tmp_path_factory.mktemp("objects") / "set", OBJECTS)


def test_unchanged_birds_are_the_images_of_the_set(birds: Path) -> None:
    for picture in minibirds.pictures(BIRDS):
        scene = BirdScene.of(BIRDS, picture.filename, collection=picture.collection)
        drawn, (image, mask) = scene.draw({}), minibirds.paths(birds, picture)
        assert torch.equal(drawn.image, read_image(image))
        assert torch.equal(drawn.mask[0], read_image(mask)[0])
        everything = scene.draw({change.name: change.value for change in scene.changes})
        assert torch.equal(everything.image, drawn.image)


def test_unchanged_things_are_the_images_of_the_set(objects: Path) -> None:
    for picture in minivoc.pictures(OBJECTS):
        scene = ObjectScene.of(OBJECTS, picture.id)
        unchanged = {change.name: change.value for change in scene.changes}
        image = read_image(minivoc.paths(objects, picture)[0])
        assert torch.equal(scene.draw({}).image, image)
        assert torch.equal(scene.draw(unchanged).image, image)


def _scenes() -> list[BirdScene | ObjectScene]:
    birds = [BirdScene(BIRDS, picture) for picture in minibirds.pictures(BIRDS)][:12:3]
    return [*birds, *(ObjectScene(OBJECTS, picture) for picture in list(minivoc.pictures(OBJECTS))[:4])]


@pytest.mark.parametrize("scene", _scenes(), ids=lambda scene: str(scene.picture.key))
def test_every_change_changes_the_picture_within_its_range(scene: BirdScene | ObjectScene) -> None:
    unchanged = scene.draw({}).image
    for change in scene.changes:
        # What a change needs to be seen.
        beside: dict[str, object] = {"water": 1 - scene.picture.place} if change.name == "texture" else {}
        beside |= {"added": scene.changes[-4].options[1]} if change.name.startswith("added_") else {}
        if isinstance(change, Amount):
            values = [change.low, (change.low + change.high) / 2, change.high]
        else:
            assert isinstance(change, Choice)
            values = [option for option in change.options if option != change.value][-1:]
        pictures = [scene.draw({**beside, change.name: value}).image for value in values]
        assert all(picture.shape == unchanged.shape for picture in pictures)
        assert any(not torch.equal(picture, unchanged) for picture in pictures), change.name


def test_another_background_leaves_the_bird_alone() -> None:
    scene = next(BirdScene(BIRDS, p) for p in minibirds.pictures(BIRDS) if (p.y, p.place, p.split) == (0, 0, 2))
    land, water = scene.draw({}), scene.draw({"water": 1.0})
    assert torch.equal(land.mask, water.mask)
    inside, outside = (land.mask == 255).expand(3, -1, -1), (land.mask == 0).expand(3, -1, -1)
    difference = (land.image.int() - water.image.int()).abs().float()
    # JPEG spreads a little of the background into the bird.
    assert difference[inside].mean() < 0.2 * difference[outside].mean()


def test_half_way_to_water_is_between_both() -> None:
    scene = next(BirdScene(BIRDS, p) for p in minibirds.pictures(BIRDS) if (p.y, p.place, p.split) == (1, 0, 2))
    land, half, water = (scene.draw({"water": share}).image.float() for share in (0.0, 0.5, 1.0))
    assert (half - (land + water) / 2).abs().mean() < 3  # JPEG


def test_a_thing_can_be_taken_away_and_added() -> None:
    picture = next(picture for picture in minivoc.pictures(OBJECTS) if len(picture.things) == 1)
    scene, (name,) = ObjectScene(OBJECTS, picture), picture.things
    unchanged, empty = scene.draw({}).image, scene.draw({f"{name}_size": 0.0}).image
    assert not torch.equal(unchanged, empty)
    other = next(other for other in minivoc.CLASSES if other != name)
    added = scene.draw({f"{name}_size": 0.0, "added": other}).image
    changed = (added != empty).any(0)
    middle = changed[16:32, 16:32]
    assert middle.float().mean() > 0.5 > changed.float().mean()


def test_a_thing_moves_by_percents_of_the_picture() -> None:
    picture = next(picture for picture in minivoc.pictures(OBJECTS) if len(picture.things) == 1)
    scene, (name,) = ObjectScene(OBJECTS, picture), picture.things
    thing = scene._unchanged.things[0]
    moved = thing.moved(torch.tensor([4.8, 0.0]).numpy())
    assert (moved.low - thing.low).tolist() == pytest.approx([4.8, 0.0])
    assert moved.scaled(0.5).high.round(3).tolist() == pytest.approx(
        ((moved.low + moved.high) / 2 + (moved.high - moved.low) / 4).round(3).tolist(), abs=2e-3
    )
    assert name in {change.name.split("_")[0] for change in scene.changes}


def test_unknown_pictures_are_refused() -> None:
    with pytest.raises(DataError, match=r"no image 'a.jpg'.*metadata.csv"):
        BirdScene.of(BIRDS, "a.jpg")
    with pytest.raises(DataError, match="no image 'b'"):
        ObjectScene.of(OBJECTS, "b")
