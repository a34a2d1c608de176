"""Write the table of pinned jars anew, after a new version in `jars.ROOTS`:
`python -m consumer.local.pin_jars > consumer/local/jars.sha256`, then read the difference before it is committed."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jgo.maven import MavenContext

from consumer.local.jars import ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# The embedded Kafka's class path: SHA-256 and coordinate of every jar. Written by consumer/local/pin_jars.py.
"""


def rows() -> Iterator[str]:
    """The roots and what they need at run time, downloaded from scratch, as lines of the table."""
    with tempfile.TemporaryDirectory() as scratch:
        maven = MavenContext(repo_cache=Path(scratch), timeout=30)
        roots, needed = maven.resolver.resolve([maven.create_dependency(root) for root in ROOTS])
        at_run_time = [dependency for dependency in needed if dependency.scope in {"compile", "runtime"}]
        for jar in [*roots, *sorted(at_run_time, key=lambda jar: (jar.groupId, jar.artifactId))]:
            digest = hashlib.sha256(jar.artifact.resolve().read_bytes()).hexdigest()
            yield f"{digest}  {jar.groupId}:{jar.artifactId}:{jar.version}\n"


if __name__ == "__main__":
    sys.stdout.write(_HEAD + "".join(rows()))
