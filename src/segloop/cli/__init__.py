"""The ``segloop`` command, one file a verb."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 all done, 1 something failed, 2 bad usage, 130 interrupted."""
    from segloop.cli.command import run

    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))
