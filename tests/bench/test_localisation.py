import torch

from e2kd_lab.bench.localisation import maps_and_boxes, masks_of, measures_of
from e2kd_lab.bench.reference import epg_and_iou

CPU = torch.device("cpu")


def test_the_loop_over_images_gives_the_same_epg_and_iou():
    maps, boxes = maps_and_boxes(7, 40, CPU)
    for ours, reference in zip(measures_of(maps, masks_of(boxes, 40)), epg_and_iou(maps, boxes), strict=True):
        torch.testing.assert_close(ours, torch.as_tensor(reference, dtype=ours.dtype), rtol=1e-5, atol=1e-6)
