"""Whatever images come from."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path

import numpy as np
import occlumap
import pytest
from conftest import Case
from occlumap._images import Ahead

COMMON = {"layers": "a", "top": 2, "device": "cpu", "progress": None, "threads": 3}


class Dataset:
    """A dataset whose items have labels."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.reads: list[int] = []
        self.busy = threading.Lock()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        assert self.busy.acquire(blocking=False), "asked by two threads at a time"
        self.reads.append(index)
        image = self.images[index]
        self.busy.release()
        return image, index % 2


class Stream:
    """Images that come one after the other only."""

    def __init__(self, images: np.ndarray, announced: int | None = None) -> None:
        self.images = images
        self.announced = len(images) if announced is None else announced

    def __len__(self) -> int:
        return self.announced

    def __iter__(self) -> object:
        return iter(self.images)


def maps(network: occlumap.Network, images: object, **options: object) -> np.ndarray:
    found = occlumap.map_units(network, images, **{**COMMON, **options})
    return np.array(found["a"].max)


def test_every_kind_of_images_gives_the_same_maps(case: Case, tmp_path: Path) -> None:
    network, images = case.network, case.images
    expected = maps(network, images)
    (tmp_path / "folder").mkdir()
    names = []
    for index, image in enumerate(images):
        names.append(tmp_path / "folder" / f"{index}.npy")
        np.save(names[-1], image)
    given = [
        tmp_path / "images.npy",
        str(tmp_path / "folder"),
        names,
        list(images),
        np.asfortranarray(images),
        np.moveaxis(images, 1, 3),
        images.astype(">f4"),
        Dataset(images),
        Stream(images),
    ]
    for images in given:
        np.testing.assert_array_equal(maps(network, images), expected)


def test_integers_and_preprocessing_are_as_on_files(case: Case) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 33, 29, 3)).astype(np.uint8)
    shown = occlumap.load_images(pixels, preprocess="unit")
    assert shown.shape == (4, 3, 33, 29) and shown.dtype == np.float32
    np.testing.assert_allclose(shown, np.moveaxis(pixels, 3, 1) / 255.0 * 2 - 1, atol=1e-6)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    shown = occlumap.load_images(pixels, preprocess=(mean, std), indices=[2])
    expected = (pixels[2] / 255.0 - mean) / std
    np.testing.assert_allclose(shown[0], np.moveaxis(expected, 2, 0), atol=1e-5)
    grey = occlumap.load_images(pixels[..., :1].astype(np.float64))
    assert grey.shape == (4, 3, 33, 29)


def test_images_are_read_as_needed_and_never_by_two_threads(case: Case) -> None:
    dataset = Dataset(case.images)
    maps(case.network, dataset)
    assert set(dataset.reads) == set(range(6))


def test_thousands_of_images_are_never_held(case: Case) -> None:
    class Made:
        """Images that are counted as long as anybody holds them."""

        def __init__(self) -> None:
            self.alive = weakref.WeakSet[np.ndarray]()
            self.most = 0

        def __len__(self) -> int:
            return 2000

        def __getitem__(self, index: int) -> np.ndarray:
            image = np.random.default_rng(index).normal(size=(3, 33, 29)).astype(np.float32)
            self.alive.add(Counted(image))
            self.most = max(self.most, len(self.alive))
            return image

    class Counted:
        """Lives as long as its image."""

        def __init__(self, image: np.ndarray) -> None:
            weakref.finalize(image, lambda kept=self: None)

    made = Made()
    maps(case.network, made, units=range(2))
    assert 0 < made.most < 100


def test_streams_are_passed_through_in_order() -> None:
    passes = []

    def begin() -> object:
        passes.append(None)
        return iter(range(1000))

    ahead = Ahead(begin, 1000, None)
    # Readers ask a little out of order.
    assert [ahead(index) for index in (1, 0, 3, 2, 5, 4)] == [1, 0, 3, 2, 5, 4]
    assert ahead(700) == 700 and len(passes) == 1
    assert ahead(3) == 3 and len(passes) == 2
    assert len(ahead._kept) <= ahead._window
    by_index = Ahead(begin, 1000, lambda index: -index)
    assert by_index(500) == -500 and len(passes) == 2


def test_what_is_wrong_with_images_is_told(case: Case) -> None:
    network, images = case.network, case.images
    for wrong, match in [
        (images[:, 0, 0], "shape"),
        (iter(images), "only once"),
        ([], "empty"),
        (3, "expected a folder"),
        (images[:, :2], "its shape is"),
        (np.array([["a"]]), "shape"),
        (Stream(images, announced=9), "ended after 6"),
        ((image for image in images), "only once"),
    ]:
        with pytest.raises(ValueError, match=match):
            maps(network, wrong)

    class Broken(Dataset):
        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            if index == 4:
                raise KeyError("no such picture")
            return super().__getitem__(index)

    with pytest.raises(occlumap.InputError, match=r"images.npy\[4\]: cannot be read") as raised:
        maps(network, Broken(images))
    assert isinstance(raised.value.__cause__, KeyError)


def test_images_that_change_are_refused(case: Case, tmp_path: Path) -> None:
    class Random(Dataset):
        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            image, label = super().__getitem__(index)
            return image + np.random.default_rng().normal(0, 0.1, image.shape), label

    with pytest.raises(occlumap.InputError, match="has changed since"):
        maps(case.network, Random(case.images))


def test_pictures_of_pil_are_as_on_files(case: Case, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(2).integers(0, 256, (3, 40, 50, 3)).astype(np.uint8)
    pictures = [image.fromarray(values) for values in pixels]
    for index, picture in enumerate(pictures):
        picture.save(tmp_path / f"{index}.png")
    files = [tmp_path / f"{index}.png" for index in range(3)]
    options = {"image_size": 32}
    shown = occlumap.load_images(pictures, **options)
    assert shown.shape == (3, 3, 32, 32)
    np.testing.assert_array_equal(shown, occlumap.load_images(files, **options))
    one = occlumap.load_images(pictures[1], **options)
    np.testing.assert_array_equal(one, shown[1:2])

    def transform(picture: object) -> np.ndarray:
        return np.asarray(picture, dtype=np.float32)[:29, :29] / 255

    own = occlumap.load_images(files, preprocess=transform)
    np.testing.assert_allclose(own[0], np.moveaxis(pixels[0, :29, :29] / 255, 2, 0), atol=1e-6)
