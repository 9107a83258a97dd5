"""Images of Python, read one at a time and as they are needed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np

Images = Union[str, "os.PathLike[str]", np.ndarray, Sequence[Any], Any]
"""Whatever images can come from; see :func:`occlumap.map_units`."""

ARRAYS = "images.npy"
"""What arrays are recorded as: saved under this name, the command line reads them for the same."""

PICTURES = "pictures"


class Reader:
    """Images that are read by their index.

    Attributes
    ----------
    name : str
        What the images are recorded as, each as ``name[index]``.
    count : int
        How many there are.
    pictures : bool
        Whether they are pictures, which a preprocessing may resize, and no arrays.
    """

    def __init__(self, item: Callable[[int], Any], count: int, pictures: bool = False) -> None:
        self._item = item
        self._lock = threading.Lock()
        self.name = PICTURES if pictures else ARRAYS
        self.count = count
        self.pictures = pictures

    def read(self, index: int) -> np.ndarray:
        """One image as an array."""
        # Several threads ask; few datasets may be asked by more than one at a time.
        with self._lock:
            return as_array(self._item(index))


class Ahead:
    """Images that come one after the other, as those of a loader: each pass begins anew.

    Threads ask for images a little out of order, and a sweep leaves some out: the last ones that
    nobody has asked for yet are kept for a while.
    """

    def __init__(
        self,
        passes: Callable[[], Iterator[Any]],
        count: int,
        item: Callable[[int], Any] | None,
    ) -> None:
        self._passes = passes
        self._count = count
        self._item = item
        self._window = max(64, 4 * (os.cpu_count() or 1))
        self._iterator: Iterator[Any] | None = None
        self._next = 0
        self._kept: dict[int, Any] = {}

    def __call__(self, index: int) -> Any:
        if index in self._kept:
            return self._kept.pop(index)
        far = not self._next <= index < self._next + self._window
        if far and index > 0 and self._item is not None:
            return self._item(index)
        if self._iterator is None or index < self._next:
            self._iterator, self._next = self._passes(), 0
            self._kept.clear()
        while True:
            try:
                image = next(self._iterator)
            except StopIteration:
                raise IndexError(
                    f"they ended after {self._next} images; {self._count} were announced"
                ) from None
            self._next += 1
            if self._next > index:
                return image
            self._kept[self._next - 1] = image
            while len(self._kept) > self._window:
                del self._kept[min(self._kept)]


def read_images(images: Images, transform: Callable[[Any], Any] | None = None) -> Any:
    """What the compiled part reads images from: a path, a list of paths, or a :class:`Reader`."""
    if transform is not None:
        return _transformed(images, transform)
    if isinstance(images, (str, os.PathLike)):
        return os.fspath(images)
    if isinstance(images, Reader):
        return images
    if isinstance(images, np.ndarray) or _is_tensor(images):
        return _batch(images)
    if _is_picture(images):
        return Reader(lambda _: images, 1, pictures=True)
    if isinstance(images, (list, tuple)):
        return _list(images)
    if _is_loader(images):
        return _loader(images)
    if hasattr(images, "__getitem__") and hasattr(images, "__len__"):
        return _dataset(images)
    if isinstance(images, Iterator):
        raise ValueError(
            f"images is a {type(images).__name__}, which can be read only once; images are read in "
            "several passes: give a list, an array, a dataset or a loader"
        )
    if isinstance(images, Iterable):
        return _iterable(images)
    raise ValueError(
        f"images is a {type(images).__name__}; expected a folder, an array [n, channels, height, "
        "width], a tensor, a list of paths, pictures or arrays, a dataset or a loader"
    )


def as_array(image: Any) -> np.ndarray:
    """An image as an array in the machine's byte order."""
    if _is_picture(image):
        return np.asarray(image.convert("RGB"))
    if _is_tensor(image):
        image = image.detach().cpu()
        if str(image.dtype) == "torch.bfloat16":
            image = image.float()
        return image.numpy()
    array = np.asarray(image)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _batch(images: Any) -> Reader:
    if images.ndim == 3:
        return Reader(lambda _: images, 1)
    if images.ndim != 4:
        raise ValueError(
            f"images have the shape {tuple(images.shape)}; expected [n, channels, height, width], "
            "or one image [channels, height, width]"
        )
    return Reader(lambda index: images[index], len(images))


def _list(images: Sequence[Any]) -> Any:
    if not images:
        raise ValueError("images is an empty list")
    if all(isinstance(image, (str, os.PathLike)) for image in images):
        return [os.fspath(image) for image in images]
    kinds = {_is_picture(image) for image in images}
    if len(kinds) == 2:
        raise ValueError("images has pictures and other things; give images of one kind")
    return Reader(lambda index: images[index], len(images), pictures=kinds == {True})


def _dataset(dataset: Any) -> Reader:
    count = len(dataset)
    pictures = count > 0 and _is_picture(_image(dataset[0]))
    return Reader(lambda index: _image(dataset[index]), count, pictures)


def _loader(loader: Any) -> Reader:
    from torch.utils.data import RandomSampler, SequentialSampler, default_collate

    dataset = loader.dataset
    if isinstance(getattr(loader, "sampler", None), RandomSampler):
        raise ValueError(
            "the DataLoader shuffles; images are read in several passes, in one order: "
            "make it with shuffle=False"
        )
    if not hasattr(dataset, "__len__"):
        raise ValueError("the DataLoader's dataset has no length; give it a method __len__")
    count = len(dataset)
    if loader.drop_last and loader.batch_size:
        count -= count % loader.batch_size
    by_index = (
        hasattr(dataset, "__getitem__")
        and isinstance(loader.sampler, SequentialSampler)
        and loader.collate_fn is default_collate
    )

    def passes() -> Iterator[Any]:
        for batch in loader:
            images = _image(batch)
            if loader.batch_size is None and images.ndim == 3:
                yield images
            else:
                yield from images

    return Reader(Ahead(passes, count, (lambda i: _image(dataset[i])) if by_index else None), count)


def _iterable(images: Any) -> Reader:
    if not hasattr(images, "__len__"):
        raise ValueError(
            f"images is a {type(images).__name__} without a length; give it a method __len__"
        )
    count = len(images)
    return Reader(Ahead(lambda: map(_image, iter(images)), count, None), count)


def _transformed(images: Images, transform: Callable[[Any], Any]) -> Reader:
    """Pictures, each through the caller's own preprocessing."""
    from PIL import Image

    if isinstance(images, (str, os.PathLike)):
        folder = os.fspath(images)
        endings = tuple(Image.registered_extensions())
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(endings))
        images = [os.path.join(folder, name) for name in names if not name.startswith(".")]
    if not hasattr(images, "__getitem__") or not hasattr(images, "__len__"):
        raise ValueError("a preprocessing that is a function goes with a folder or a list of pictures")

    def item(index: int) -> Any:
        image = images[index]
        if isinstance(image, (str, os.PathLike)):
            with Image.open(image) as file:
                return transform(file.convert("RGB"))
        return transform(image)

    return Reader(item, len(images))


def _image(item: Any) -> Any:
    """The image of a dataset's item, beside which there may be a label."""
    if isinstance(item, Mapping):
        for key in ("image", "pixel_values", "img"):
            if key in item:
                return item[key]
        raise ValueError(f"an item has the keys {sorted(map(str, item))}; expected `image`")
    return item[0] if isinstance(item, (tuple, list)) else item


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _is_picture(value: Any) -> bool:
    image = sys.modules.get("PIL.Image")
    return image is not None and isinstance(value, image.Image)


def _is_loader(value: Any) -> bool:
    data = sys.modules.get("torch.utils.data")
    return data is not None and isinstance(value, data.DataLoader)
