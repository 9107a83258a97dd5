"""The machine that a comparison runs on, and how much of it others took meanwhile."""

import os
import platform
import re
import resource
import time
from pathlib import Path


def processor():
    try:
        models = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        models = []
    return models[0] if models else platform.processor() or platform.machine()


class Others:
    """What other programs, and other machines on the same hardware, take of the processors."""

    def __init__(self):
        self.start = self.now()

    def share(self):
        """Their part of all processors' time since the start; None where the system does not tell."""
        now = self.now()
        if now is None:
            return None
        wall, others = (after - before for after, before in zip(now, self.start))
        return max(others, 0) / (wall * os.cpu_count())

    @staticmethod
    def now():
        """Seconds on the clock, and processor seconds of all but this program and its contenders,
        of which those count that have ended."""
        try:
            fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        except OSError:
            return None
        user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, fields)
        busy = (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")
        used = [resource.getrusage(whose) for whose in
                (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.monotonic(), busy - sum(each.ru_utime + each.ru_stime for each in used)
