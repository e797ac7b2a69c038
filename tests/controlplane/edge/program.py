"""``python -m tests.controlplane.edge.program``: a process of the edge with the fake judge in the place of the real one."""

from __future__ import annotations

import sys

from controlplane.edge.__main__ import main
from controlplane.edge.configuration import Configuration
from controlplane.edge.opening import Parts
from tests.controlplane.edge.judges import LeanJudge


async def open_fake(configuration: Configuration) -> Parts:
    judge = LeanJudge(keeps=False)
    judge.release.set()
    return Parts(judge, judge, judge)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], open_fake))
