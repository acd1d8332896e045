"""Time of EPG and IoU of many maps, against the loop over images that evaluated guided models before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.reference import epg_and_iou
from e2kd_lab.bench.timing import require_equal, take_turns
from e2kd_lab.data.boxes import box_masks
from e2kd_lab.metrics import energy_pointing_game, explanation_iou

_TOLERANCE = 1e-5


def measure_localisation(findings: Findings, device: torch.device, quick: bool, say: Callable[[str], None]) -> None:
    """Time EPG and IoU of 1,000 maps of 224 px, from boxes and from ready masks.

    Raises
    ------
    BenchError
        If ours and the loop give different numbers.
    """
    count, size = (20, 32) if quick else (1000, 224)
    title = f"{count:,} maps"
    say(f"epg_iou: {count} maps of {size} px")
    maps, boxes = maps_and_boxes(count, size, device)
    masks = masks_of(boxes, size)

    def from_boxes() -> None:
        measures_of(maps, masks_of(boxes, size))

    def from_masks() -> None:
        measures_of(maps, masks)

    def reference() -> None:
        epg_and_iou(maps, boxes)

    names = ("EPG", "IoU")
    ours = dict(zip(names, measures_of(maps, masks), strict=True))
    require_equal("EPG and IoU", ours, dict(zip(names, epg_and_iou(maps, boxes), strict=True)), _TOLERANCE)
    contestants = {"from boxes": from_boxes, "from masks": from_masks, "loop over images": reference}
    seconds = take_turns(contestants, 3 if quick else 11, device)
    findings.add_timings("epg_iou", title, seconds, images=count)
    for name in ("from boxes", "from masks"):
        findings.add_ratio("epg_iou", title, "gain", seconds, "loop over images", name, title=f"EPG and IoU {name}")


def measures_of(maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """EPG and IoU (N,) of maps and masks (N, H, W), copied to the CPU, where they are reported."""
    return energy_pointing_game(maps, masks).cpu(), explanation_iou(maps, masks).cpu()


def masks_of(boxes: list[Tensor], size: int) -> Tensor:
    """Unions of the boxes of each image, bool (N, size, size)."""
    return torch.cat([box_masks(some, some.new_zeros(len(some)), 1, size, size) for some in boxes])


def maps_and_boxes(count: int, size: int, device: torch.device) -> tuple[Tensor, list[Tensor]]:
    """Smooth signed maps (count, size, size), each with one to three overlapping integer boxes (n, 4)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(count, 1, 14, 14, generator=generator)
    maps = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)[:, 0].contiguous()
    boxes = []
    for number in range(count):
        corners = torch.randint(0, size // 2, (1 + number % 3, 2), generator=generator)
        sides = torch.randint(size // 8, size // 2, corners.shape, generator=generator)
        boxes.append(torch.cat([corners, corners + sides], dim=1).to(device))
    return maps.to(device), boxes
