"""Pictures of the embedded sets as scenes: their birds, things and grounds can be changed, because they are drawn."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image
from torch import from_numpy
from torchvision import tv_tensors

from e2kd_lab.data.images import as_image
from e2kd_lab.data.scenes import Amount, Change, Choice, Drawn, Scene, Values
from e2kd_lab.minidata import minibirds, minivoc
from e2kd_lab.minidata.drawing.arrangements import Arrangement, Thing, thing_of
from e2kd_lab.minidata.drawing.birds import LANDBIRDS, WATERBIRDS, Changes, Pose, pose_of
from e2kd_lab.minidata.drawing.grounds import GROUNDS, paint_ground
from e2kd_lab.minidata.drawing.places import LAND_TEXTURES, WATER_TEXTURES
from e2kd_lab.minidata.making import save_jpeg
from e2kd_lab.minidata.minibirds import MiniBirds
from e2kd_lab.minidata.minivoc import MiniVoc
from e2kd_lab.system.errors import DataError

_PERCENT: dict[str, Any] = {"low": 0.0, "high": 100.0, "step": 1.0, "about": "percent of the room there is"}
_TURN: dict[str, Any] = {"low": -180.0, "high": 180.0, "step": 5.0, "value": 0.0, "about": "degrees of hue"}
_SPECIES = {species.name: species for species in (*LANDBIRDS, *WATERBIRDS)}
_PLACES: tuple[dict[str, Any], dict[str, Any]] = (LAND_TEXTURES, WATER_TEXTURES)
NOTHING = "nothing"


@dataclass(frozen=True)
class BirdScene(Scene):
    """A picture of MiniBirds: bird, its colour, pose, size and place; land or water, and its colour.

    Unchanged, it is the image of the data set, byte for byte.

    Attributes
    ----------
    spec : MiniBirds
        What the set holds.
    picture : Picture
        The picture.

    Examples
    --------
    >>> scene = BirdScene.of(MiniBirds(), "001.Finch/Finch_0001.jpg")
    >>> scene.draw({"water": 1.0}).image.shape  # a finch on water
    torch.Size([3, 64, 64])
    """

    spec: MiniBirds
    picture: minibirds.Picture

    @classmethod
    def of(cls, spec: MiniBirds, filename: str, *, collection: str = minibirds.BIASED) -> BirdScene:
        """The scene of an image file.

        Raises
        ------
        DataError
            If the set has no such image.
        """
        known = _pictures_of_birds(spec)
        if (collection, filename) not in known:
            raise DataError(f"MiniBirds has no image '{filename}' in '{collection}'; expected one of its metadata.csv.")
        return cls(spec, known[collection, filename])

    @property
    def path(self) -> str:
        """See `Scene.path`."""
        return "water"

    @property
    def changes(self) -> tuple[Change, ...]:
        """See `Scene.changes`."""
        pose, place, others = self._pose, self.picture.place, tuple(_PLACES[1 - self.picture.place])
        faces, angle, cover = "right" if pose.facing > 0 else "left", _degrees(pose.angle), _percent(pose.cover)
        water = float(place)
        of_picture: dict[str, Any] = {"step": 1.0, "about": "percent of the picture"}
        return (
            Amount(name="water", title="Land to water", short="Water", low=0.0, high=1.0, step=0.125, value=water),
            Choice(name="texture", title="Texture", options=others, value=self._other),
            Amount(name="place_hue", title="Place's hue", **_TURN),
            Choice(name="species", title="Bird", options=tuple(_SPECIES), value=self._species),
            Amount(name="hue", title="Bird's hue", **_TURN),
            Choice(name="facing", title="Faces", options=("left", "right"), value=faces),
            Amount(name="angle", title="Turn", low=-60.0, high=60.0, step=1.0, value=angle, about="degrees"),
            Amount(name="cover", title="Size", low=2.0, high=40.0, value=cover, **of_picture),
            Amount(name="right", title="Place, right", short="Right", value=_percent(pose.right), **_PERCENT),
            Amount(name="down", title="Place, down", short="Down", value=_percent(pose.down), **_PERCENT),
        )

    def draw(self, values: Values) -> Drawn:
        """See `Scene.draw`; with the bird's mask."""
        unchanged = {change.name: change.value for change in self.changes}
        values = {name: value for name, value in values.items() if value != unchanged[name]}
        pose: dict[str, float] = {}
        if "facing" in values:
            pose["facing"] = 1.0 if values["facing"] == "right" else -1.0
        if "angle" in values:
            pose["angle"] = float(np.deg2rad(values["angle"]))
        pose |= {name: values[name] / 100 for name in ("cover", "right", "down") if name in values}
        water = values.get("water", float(self.picture.place))
        changes = Changes(
            species=_SPECIES[values["species"]] if "species" in values else None,
            texture=_PLACES[1 - self.picture.place][values.get("texture", self._other)],
            share=1 - water if self.picture.place else water,
            hue=values.get("hue", 0.0) / 360,
            place_hue=values.get("place_hue", 0.0) / 360,
            pose=pose,
        )
        image, mask = minibirds.drawn(self.spec, self.picture, changes)
        return Drawn(_saved(image), tv_tensors.Mask(from_numpy(np.array(mask))[None]))

    @property
    def _species(self) -> str:
        return (LANDBIRDS, WATERBIRDS)[self.picture.y][self.picture.species].name

    @property
    def _other(self) -> str:
        """Texture of the other kind of place that is shown first."""
        names = list(_PLACES[1 - self.picture.place])
        return names[self.picture.key[-1] % len(names)]

    @functools.cached_property
    def _pose(self) -> Pose:
        species = (LANDBIRDS, WATERBIRDS)[self.picture.y][self.picture.species]
        texture = _PLACES[self.picture.place][self.picture.texture]
        return pose_of(species, texture, self.spec.size, minibirds.random_stream(self.picture))


@dataclass(frozen=True)
class ObjectScene(Scene):
    """A picture of MiniVOC: its ground, and each of its things, which can be moved, scaled and taken away; one more.

    Unchanged, it is the image of the data set, byte for byte.

    Attributes
    ----------
    spec : MiniVoc
        What the set holds.
    picture : Picture
        The picture.

    Examples
    --------
    >>> scene = ObjectScene.of(MiniVoc(), "test_000001")
    >>> scene.draw({"ground": "water"}).image.shape
    torch.Size([3, 96, 96])
    """

    spec: MiniVoc
    picture: minivoc.Picture

    @classmethod
    def of(cls, spec: MiniVoc, identifier: str) -> ObjectScene:
        """The scene of an image.

        Raises
        ------
        DataError
            If the set has no such image.
        """
        known = _pictures_of_objects(spec)
        if identifier not in known:
            raise DataError(f"MiniVOC has no image '{identifier}'; expected one of its lists, such as test_000001.")
        return cls(spec, known[identifier])

    @property
    def changes(self) -> tuple[Change, ...]:
        """See `Scene.changes`."""
        changes: list[Change] = [
            Choice(name="ground", title="Ground", options=tuple(GROUNDS), value=self.picture.ground),
        ]
        for thing in self._unchanged.things:
            changes += _changes_of(thing.name, thing, self.spec.size, share=100.0)
        others = tuple(name for name in minivoc.CLASSES if name not in self.picture.things)
        changes.append(Choice(name="added", title="Add", options=(NOTHING, *others), value=NOTHING))
        changes += _changes_of("added", None, self.spec.size, share=40.0)
        return tuple(changes)

    def draw(self, values: Values) -> Drawn:
        """See `Scene.draw`."""
        changed, unchanged = self._unchanged, {change.name: change.value for change in self.changes}
        values = unchanged | dict(values)
        things = []
        for thing in changed.things:
            if values[f"{thing.name}_size"]:
                things.append(_moved(thing, values, unchanged, self.spec.size))
        if values["added"] != NOTHING and values["added_size"]:
            things.append(self._added(values))
        if values["ground"] != self.picture.ground:
            rng = np.random.default_rng(np.random.SeedSequence((*self.picture.key, 2)))
            changed = replace(changed, ground=paint_ground(values["ground"], self.spec.size, rng))
        image, _ = replace(changed, things=tuple(things)).paint()
        return Drawn(_saved(image))

    def _added(self, values: Values) -> Thing:
        """A thing that the picture does not show, in the middle of its place."""
        rng = np.random.default_rng(np.random.SeedSequence((*self.picture.key, 3)))
        size = self.spec.size
        thing = thing_of(values["added"], size / 2, self._unchanged.ground, rng).scaled(values["added_size"] / 50)
        middle = size * np.array([values["added_right"], values["added_down"]], np.float32) / 100
        return thing.moved(middle - (thing.low + thing.high) / 2)

    @functools.cached_property
    def _unchanged(self) -> Arrangement:
        return minivoc.arrangement_of(self.spec, self.picture)


def _changes_of(name: str, thing: Thing | None, side: int, *, share: float) -> list[Change]:
    """Place of a thing's middle, and its size: of its own, or, for one to be added, of the picture."""
    right, down = (50.0, 50.0) if thing is None else (100 * (thing.low + thing.high) / 2 / side).round().tolist()
    title, short = ("Added thing", "Added") if thing is None else (name.capitalize(), name.capitalize())
    percent: dict[str, Any] = {"low": -20.0, "high": 120.0, "step": 1.0, "about": "percent of the picture"}
    size: dict[str, Any] = {"low": 0.0, "high": 200.0, "step": 5.0, "about": "percent; 0 takes it away"}
    return [
        Amount(name=f"{name}_right", title=f"{title}, right", short=f"{short} →", value=right, **percent),
        Amount(name=f"{name}_down", title=f"{title}, down", short=f"{short} ↓", value=down, **percent),
        Amount(name=f"{name}_size", title=f"{title}, size", short=f"{short} ×", value=share, **size),
    ]


def _moved(thing: Thing, values: Values, unchanged: Values, size: int) -> Thing:
    """A thing at its new place and size; one that was not changed as it is, to the last bit."""
    keys = [f"{thing.name}_{what}" for what in ("right", "down", "size")]
    right, down, share = (values[key] - unchanged[key] for key in keys)
    if not (right or down or share):
        return thing
    by = np.array([right, down], np.float32) * np.float32(size / 100)
    return thing.scaled(values[keys[2]] / 100).moved(by)


def _saved(image: Image.Image) -> tv_tensors.Image:
    """A picture as it is after it was saved and read."""
    buffer = io.BytesIO()
    save_jpeg(image, buffer)
    return as_image(Image.open(buffer))


def _degrees(angle: float) -> float:
    return float(np.rad2deg(angle).round())


def _percent(share: float) -> float:
    return round(100 * share)


@functools.lru_cache(maxsize=4)
def _pictures_of_birds(spec: MiniBirds) -> dict[tuple[str, str], minibirds.Picture]:
    return {(picture.collection, picture.filename): picture for picture in minibirds.pictures(spec)}


@functools.lru_cache(maxsize=4)
def _pictures_of_objects(spec: MiniVoc) -> dict[str, minivoc.Picture]:
    return {picture.id: picture for picture in minivoc.pictures(spec)}
