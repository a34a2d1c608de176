"""`sluice` whose wall clock is wrong by as many seconds as a file says at the moment: a host whose time is set.

python -m tests.torture.jumping CLOCK run --config sluice.toml
"""

from __future__ import annotations

import sys
from pathlib import Path

from consumer.cli.main import main
from consumer.runtime.clock import SystemClock


def jump_with(file: Path) -> None:
    """All that read the product's one clock are told the wrong time from now on."""
    true_ms = SystemClock.now_ms
    SystemClock.now_ms = lambda self: true_ms(self) + 1000 * int(file.read_text())  # type: ignore[method-assign]


if __name__ == "__main__":
    jump_with(Path(sys.argv.pop(1)))
    main()
