import pytest
import torch

from e2kd_lab.data.frozen_spec import FrozenSpec, cosines_kept, stored_form
from e2kd_lab.system.errors import DataError


def test_each_way_to_store_says_what_it_costs_and_keeps():
    torch.manual_seed(0)
    rough = torch.randn(4, 6, 16, 16)
    smooth = torch.nn.functional.interpolate(torch.randn(4, 6, 4, 4), 16, mode="bilinear")
    kept, sizes = {}, {}
    for dtype, reduction in (("float32", 1), ("float16", 1), ("float16", 2), ("float16", 4)):
        spec = FrozenSpec(teacher="t", data="d", view=16, channels=6, classes=3, dtype=dtype, reduction=reduction)
        forms = [(maps, stored_form(maps, spec)) for maps in (smooth, rough)]
        kept[dtype, reduction] = [cosines_kept(maps, stored, spec).mean().item() for maps, stored in forms]
        sizes[dtype, reduction] = forms[1][1].nbytes
    assert kept["float32", 1][0] == pytest.approx(1, abs=1e-6)
    assert kept["float16", 1][1] > 0.999
    assert 1 > kept["float16", 2][0] > kept["float16", 4][0] > kept["float16", 4][1]
    assert sizes["float32", 1] > sizes["float16", 1] > sizes["float16", 2] > sizes["float16", 4]
    with pytest.raises(DataError, match="cannot be reduced 3-fold"):
        FrozenSpec(teacher="t", data="d", view=16, channels=6, classes=3, reduction=3)
