"""A stranger's data: a few pictures of two kinds, in the layout that people have."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """train/val/test/<class>, 32 to 40 px; cats are red, dogs are blue."""
    root, random = tmp_path_factory.mktemp("pictures") / "pets", np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for number, kind in enumerate(("cat", "dog")):
            folder = root / split / kind
            folder.mkdir(parents=True)
            for index in range(count):
                picture = random.integers(0, 120, (36, 40, 3), dtype=np.uint8)
                picture[8:24, 8:24, 2 * number] = 255
                Image.fromarray(picture).save(folder / f"{index}.png")
    return root
