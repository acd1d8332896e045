"""Drawn birds in front of land and water textures.

The class of a bird shows in its outline alone, the kind of a place in its texture alone: plumage colours, sizes and
poses have one distribution for all species; hues, brightness and contrast have one for all textures.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from e2kd_lab.minidata.drawing.outlines import FloatArray, curve, points
from e2kd_lab.minidata.drawing.painting import Colour, rgb
from e2kd_lab.minidata.drawing.places import Texture, paint_place

SUPERSAMPLING = 4
SILHOUETTE = ("leg", "tail", "bill", "body")


@dataclass(frozen=True)
class Species:
    """Shape of one species facing right, as "x,y x,y ..." in hundredths of its body length, y upwards."""

    name: str
    body: str  # closed curve, with the head where there is no neck
    wing: str  # closed curve
    patch: str  # closed curve of lighter plumage: belly or face
    bill: str  # polygon
    eyes: str  # centres
    tail: str = ""  # polygon
    neck: str = ""  # centre line as x,y,half-width from the breast to the head
    head: str = ""  # one x,y,radius where there is a neck
    legs: str = ""  # one x,top,foot per leg


LANDBIRDS: tuple[Species, ...] = (
    Species(
        name="Finch",
        body="50,52 40,69 22,69 6,52 -20,36 -48,10 -48,-2 -25,-22 10,-29 38,-14 52,14 50,36",
        wing="14,32 -14,31 -45,10 -70,-4 -35,-7 2,-6 20,10",
        patch="42,20 44,2 28,-14 6,-22 -12,-18 14,-2",
        bill="45,61 72,45 47,37",
        eyes="36,53",
        tail="-38,16 -86,-3 -76,-10 -84,-20 -40,-6",
        legs="-4,-20,-50 13,-20,-50",
    ),
    Species(
        name="Jay",
        body="47,50 38,65 24,72 2,84 8,58 -16,38 -48,10 -48,-3 -22,-20 10,-25 36,-10 48,14 46,34",
        wing="12,30 -14,29 -45,8 -74,-12 -35,-8 2,-6 18,10",
        patch="38,22 40,4 26,-11 6,-18 -12,-14 12,0",
        bill="43,57 74,44 44,38",
        eyes="34,51",
        tail="-38,16 -94,-18 -88,-33 -40,-8",
        legs="-2,-16,-48 14,-16,-48",
    ),
    Species(
        name="Owl",
        body="36,76 34,99 16,86 -6,86 -24,99 -28,76 -34,50 -44,15 -38,-28 -16,-50 14,-50 38,-28 45,15 40,50",
        wing="-28,46 -42,18 -40,-22 -24,-54 -10,-22 -10,20",
        patch="-20,78 5,72 30,78 30,56 5,44 -20,56",
        bill="-1,66 11,66 5,50",
        eyes="-11,69 21,69",
        tail="-18,-42 -26,-76 -4,-78 2,-48",
        legs="-4,-46,-62 18,-46,-62",
    ),
    Species(
        name="Wren",
        body="46,44 38,61 18,64 0,50 -22,36 -44,16 -44,-4 -24,-26 8,-34 36,-20 49,6 48,28",
        wing="12,26 -12,26 -40,16 -52,0 -28,-12 4,-10 18,6",
        patch="40,12 41,-6 26,-20 4,-28 -14,-22 12,-8",
        bill="43,51 70,42 45,34",
        eyes="33,46",
        tail="-40,4 -74,58 -58,70 -20,30",
        legs="-6,-26,-54 13,-26,-54",
    ),
)

WATERBIRDS: tuple[Species, ...] = (
    Species(
        name="Duck",
        body="62,12 48,27 10,24 -40,25 -84,40 -74,10 -52,-12 -10,-21 34,-18 56,-5",
        wing="26,15 -10,21 -50,24 -70,22 -32,-2 8,-6",
        patch="56,10 50,-6 30,-14 2,-17 14,-9 38,2",
        bill="66,76 84,68 103,66 103,58 66,56",
        eyes="60,72",
        neck="40,8,20 49,36,12 54,62,11",
        head="56,67,16.5",
    ),
    Species(
        name="Swan",
        body="56,5 45,22 10,33 -30,40 -84,38 -72,6 -48,-16 0,-25 38,-17",
        wing="24,17 -10,31 -46,36 -80,33 -42,4 4,-4",
        patch="50,4 40,-10 20,-18 -6,-20 8,-12 34,-2",
        bill="68,103 80,95 100,86 97,79 66,86",
        eyes="63,97",
        neck="32,4,20 57,22,13 53,48,9 41,72,8 45,93,8 60,97,9",
        head="61,95,12",
    ),
    Species(
        name="Heron",
        body="44,30 20,37 -20,26 -72,-6 -62,-18 -22,-16 18,-10 42,8",
        wing="20,27 -16,20 -50,0 -78,-16 -36,-10 6,-1",
        patch="40,22 38,8 16,-5 -10,-10 6,0 26,10",
        bill="58,102 110,89 58,85",
        eyes="55,96",
        neck="26,16,18 53,32,12 46,54,8.5 34,74,8 40,91,8 52,94,9",
        head="52,94,11.5",
        legs="-10,-10,-78 8,-10,-78",
    ),
    Species(
        name="Goose",
        body="56,14 42,30 6,30 -40,22 -80,20 -66,0 -40,-20 0,-26 34,-20 54,-4",
        wing="24,20 -10,26 -50,18 -80,12 -34,-4 8,-6",
        patch="50,10 46,-8 26,-17 0,-21 12,-12 34,0",
        bill="60,102 74,94 90,90 90,82 60,82",
        eyes="54,96",
        neck="34,10,19 46,40,11 46,68,8.5 48,90,9",
        head="51,92,13.5",
        legs="-12,-16,-46 8,-16,-46",
    ),
)


def _tube(spine: FloatArray) -> FloatArray:
    """Outline [2n, 2] of a tube along a spine [n, 3] of x, y, half width."""
    along = np.gradient(spine[:, :2], axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
    side = normal * spine[:, 2:]
    return np.concatenate([spine[:, :2] + side, (spine[:, :2] - side)[::-1]])


def _disc(x: float, y: float, radius: float) -> FloatArray:
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1).astype(np.float32)


def _shape(species: Species, rng: np.random.Generator | None) -> dict[str, list[FloatArray]]:
    """Outlines of one bird by part, with a little individual variation if `rng` is given."""

    def vary(text: str) -> FloatArray:
        corners = points(text)
        if rng is not None:
            corners[:, :2] += rng.normal(0, 0.012, (len(corners), 2)).astype(np.float32)
        return corners

    parts = {"body": [curve(vary(species.body))], "wing": [curve(vary(species.wing))]}
    parts["patch"] = [curve(vary(species.patch))]
    parts["bill"] = [vary(species.bill)]
    parts["tail"] = [vary(species.tail)] if species.tail else []
    parts["eye"] = [_disc(x, y, 0.05) for x, y in points(species.eyes).tolist()]
    if species.neck:
        parts["body"] += [curve(_tube(vary(species.neck))), _disc(*points(species.head)[0].tolist())]
    parts["leg"] = []
    for x, top, foot in points(species.legs).tolist() if species.legs else []:
        spine = [[x, top, 0.035], [x, foot, 0.025], [x + 0.02, foot, 0.03], [x + 0.15, foot - 0.03, 0.02]]
        parts["leg"].append(_tube(np.array(spine, np.float32)))
    return parts


@cache
def _area(species: Species) -> float:
    """Area of the silhouette in squared body lengths."""
    parts = _shape(species, None)
    grid = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(grid)
    for part in SILHOUETTE:
        for outline in parts[part]:
            draw.polygon(((outline + 1.25) * 100).ravel().tolist(), fill=1)
    return float(np.count_nonzero(np.asarray(grid))) / 100**2


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How a bird stands in its picture.

    Attributes
    ----------
    angle : float
        Turn in radians.
    aspect : float
        How much longer it is than its species.
    facing : float
        1 right, -1 left.
    cover : float
        Share of the picture that it covers, if there is room.
    right, down : float
        Place in the room that is left, 0 to 1.
    """

    angle: float
    aspect: float
    facing: float
    cover: float
    right: float
    down: float


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is drawn in another way than the random draws of a picture say; everything else stays.

    Attributes
    ----------
    species : Species or None
        Another bird, in the same colours and pose.
    texture : Texture or None
        Another place, in the colours of the first.
    share : float
        Opacity of the other place over the first, 0 to 1.
    hue, place_hue : float
        Turns of the hues of bird and place, 1 is once round.
    pose : mapping
        Fields of `Pose`.
    """

    species: Species | None = None
    texture: Texture | None = None
    share: float = 1.0
    hue: float = 0.0
    place_hue: float = 0.0
    pose: Mapping[str, float] = field(default_factory=dict)


UNCHANGED = Changes()


def pose_of(species: Species, texture: Texture, size: int, rng: np.random.Generator) -> Pose:
    """Pose of the bird that `draw_picture` draws from the same state."""
    behind = paint_place(texture, size, rng).mean((0, 1))
    _shape(species, rng), _plumage(behind, rng)
    return _drawn_pose(rng)


def _drawn_pose(rng: np.random.Generator) -> Pose:
    angle, aspect = rng.uniform(-0.18, 0.18), rng.uniform(0.92, 1.09)
    facing = rng.choice([-1.0, 1.0])
    cover, (right, down) = rng.uniform(0.16, 0.25), rng.uniform(0, 1, 2)
    return Pose(angle=angle, aspect=aspect, facing=facing, cover=cover, right=right, down=down)


def _stand(parts: dict[str, list[FloatArray]], area: float, size: int, pose: Pose) -> None:
    """Rotate, scale and position the outlines on a canvas of `size` pixels, y downwards, in place."""
    turn = np.array([[np.cos(pose.angle), -np.sin(pose.angle)], [np.sin(pose.angle), np.cos(pose.angle)]])
    matrix = (turn @ np.diag([pose.facing * pose.aspect, -1 / pose.aspect])).astype(np.float32)
    for outlines in parts.values():
        outlines[:] = [outline @ matrix.T for outline in outlines]
    corners = np.concatenate([outline for outlines in parts.values() for outline in outlines])
    low, extent = corners.min(0), np.ptp(corners, axis=0)
    scale = min(np.sqrt(pose.cover / area), 0.95 / extent.max()) * size
    margin = 0.02 * size
    corner = margin + np.array([pose.right, pose.down]) * (size - 2 * margin - extent * scale)
    for outlines in parts.values():
        outlines[:] = [((outline - low) * scale + corner).astype(np.float32) for outline in outlines]


def _plumage(behind: FloatArray, rng: np.random.Generator, turn: float = 0.0) -> dict[str, Colour]:
    """Colour of each part; the plumage is the first of a few draws that contrasts with the colour behind [3].

    Its hue is turned afterwards.
    """
    best, best_distance = (0.0, 0.0, 0.0), -1.0
    for hue, saturation, value in rng.uniform((0, 0.1, 0.4), (1, 0.8, 1.0), (6, 3)).tolist():
        distance = float(np.linalg.norm(np.array(rgb(hue, saturation, value)) / 255 - behind))
        if distance > best_distance:
            best, best_distance = (hue, saturation, value), distance
        if distance > 0.45:
            break
    hue, saturation, value = best
    hue += turn
    shift, darker = rng.uniform(-0.12, 0.12), rng.uniform(0.5, 0.8)
    bare = rng.uniform((0, 0.3, 0.35), (1, 0.9, 0.95), (2, 3)).tolist()
    return {
        "tail": rgb(hue + shift, saturation, value * darker * 0.9),
        "body": rgb(hue, saturation, value),
        "patch": rgb(hue - shift, saturation * 0.45, value * 0.6 + 0.4),
        "wing": rgb(hue + shift, saturation, value * darker),
        "bill": rgb(*bare[0]),
        "leg": rgb(*bare[1]),
        "eye": (18, 16, 20),
        "outline": rgb(hue, saturation * 0.8, value * 0.28),
    }


def _draw_bird(
    species: Species, behind: FloatArray, size: int, rng: np.random.Generator, changes: Changes
) -> tuple[FloatArray, Image.Image]:
    """Bird premultiplied by its mask [size, size, 3] in 0..1, and the mask as an 8-bit picture."""
    canvas = size * SUPERSAMPLING
    parts, colours = _shape(species, rng), _plumage(behind, rng, changes.hue)
    pose = replace(_drawn_pose(rng), **changes.pose)
    if changes.species is not None:
        species = changes.species
        parts = _shape(species, None)
    _stand(parts, _area(species), canvas, pose)
    # The fourth channel carries the mask: unlike alpha it is not divided out when the picture is reduced.
    picture = Image.new("RGBX", (canvas, canvas), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    line = max(2, round(canvas / 90))
    # One dark silhouette under all parts gives an outline that does not cut through the joints between them.
    for corners in [outline.ravel().tolist() for part in SILHOUETTE for outline in parts[part]]:
        draw.polygon(corners, fill=(*colours["outline"], 255))
        draw.line(corners + corners[:4], fill=(*colours["outline"], 255), width=line)
    for part in (*SILHOUETTE, "patch", "wing", "eye"):
        for outline in parts[part]:
            draw.polygon(outline.ravel().tolist(), fill=(*colours[part], 255))
    for outline in parts["wing"]:
        middle = outline.mean(0)
        for shrink in (1.0, 0.66, 0.33):
            feathers = ((outline - middle) * shrink + middle).ravel().tolist()
            draw.line(feathers, fill=(*colours["tail"], 255), width=max(1, line // 2))
    for outline in parts["eye"]:
        x, y = outline.mean(0).tolist()
        glint = 0.004 * canvas
        draw.ellipse((x - glint, y - 2 * glint, x + glint, y), fill=(250, 250, 250, 255))
    small = np.asarray(picture.reduce(SUPERSAMPLING), np.float32)
    alpha = Image.fromarray(small[..., 3].astype(np.uint8))
    # The blurred mask against its copy moved down and right is a relief lit from the upper left.
    relief = alpha.filter(ImageFilter.GaussianBlur(size / 16))
    step = max(1, size // 24)
    difference = np.asarray(relief, np.float32) - np.asarray(ImageChops.offset(relief, step, step), np.float32)
    shaded = small[..., :3] / 255 * (1 + 0.9 * difference[..., None] / 255)
    return np.minimum(shaded, small[..., 3:] / 255), alpha


def _changed_place(first: FloatArray, texture: Texture, rng: np.random.Generator, changes: Changes) -> FloatArray:
    """The place with its changes, from the state in which the first was drawn."""
    own = first
    if changes.place_hue:
        own = paint_place(texture, len(first), copy.deepcopy(rng), changes.place_hue)
    if changes.texture is None or not changes.share:
        return own
    other = paint_place(changes.texture, len(first), rng, changes.place_hue)
    return own + np.float32(changes.share) * (other - own)


def draw_picture(
    species: Species, texture: Texture, size: int, rng: np.random.Generator, changes: Changes = Changes()
) -> tuple[Image.Image, Image.Image]:
    """Draw one bird in front of one texture.

    Parameters
    ----------
    species
        One of `LANDBIRDS` or `WATERBIRDS`.
    texture
        One of the values of `LAND_TEXTURES` or `WATER_TEXTURES` of `e2kd_lab.minidata.drawing.places`.
    size
        Side of the square picture in pixels, at least 16.
    rng
        Source of colours, pose, size and position; the same state gives the same picture.
    changes
        What is drawn in another way.

    Returns
    -------
    tuple
        The picture (RGB) and the soft mask of the bird (8-bit grey, 0 background to 255 bird), both
        size x size pixels.
    """
    before = copy.deepcopy(rng)
    first = paint_place(texture, size, rng)
    # The plumage contrasts with the first place: it stays the same on the other.
    bird, mask = _draw_bird(species, first.mean((0, 1)), size, rng, changes)
    background = _changed_place(first, texture, before, changes)
    alpha = np.asarray(mask, np.float32)[..., None] / 255
    fall = max(1, size // 32)
    shadow = ImageChops.offset(mask, -fall, fall).filter(ImageFilter.GaussianBlur(size / 40))
    shaded = background * (1 - 0.3 * np.asarray(shadow, np.float32)[..., None] / 255)
    picture = np.rint(255 * (shaded * (1 - alpha) + bird)).astype(np.uint8)
    return Image.fromarray(picture), mask
