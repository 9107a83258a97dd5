"""Progress bars and notes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Union

from ._kinds import checked

Progress = Union[bool, Callable[[str, int, int], Any], None]
"""``True`` for a bar (of tqdm where that is installed), or a function ``(task, done, total)``."""

log = logging.getLogger("occlumap")


def note(message: str) -> None:
    """Logs what a run tells: what needs attention as a warning."""
    level = logging.WARNING if message.startswith("note:") else logging.INFO
    log.log(level, "%s", message.removeprefix("note: "))


def work(threads: int | None, progress: Progress) -> dict[str, Any]:
    """What the compiled part needs to work and to tell of it."""
    told: Any = None
    if progress is True:
        told = Bar()
    elif callable(progress):
        call = progress

        def told(task: str, _counted: str, done: int, total: int) -> Any:
            return call(task, done, total)

    elif progress not in (False, None):
        raise ValueError(
            f"progress is {progress!r}; expected True, False, or a function (task, done, total)"
        )
    threads = checked({"threads": threads})["threads"]
    if threads is not None and not 1 <= threads <= 1024:
        raise ValueError(f"threads is {threads}; expected a whole number from 1 to 1024")
    return {"threads": threads, "progress": told, "note": note}


class Bar:
    """A bar of tqdm for each task; without tqdm, a line of text on a terminal."""

    def __init__(self) -> None:
        self._task: tuple[str, int] | None = None
        self._bar: Any = None
        self._tqdm: Any = None
        try:
            from tqdm.auto import tqdm

            self._tqdm = tqdm
        except ImportError:
            pass

    def __call__(self, task: str, counted: str, done: int, total: int) -> None:
        if self._tqdm is None:
            if sys.stderr.isatty():
                end = "\n" if done >= total else ""
                print(f"\r{task}: {done:,} of {total:,} {counted}", end=end, file=sys.stderr)
            return
        if self._task != (task, total):
            self.close()
            self._task = (task, total)
            self._bar = self._tqdm(total=total, desc=task, unit=" " + counted, unit_scale=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if done >= total:
                self.close()

    def close(self) -> None:
        """Ends the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def __del__(self) -> None:
        """Work that failed leaves no bar behind."""
        self.close()
