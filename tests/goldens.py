"""Golden files: what others read, kept in tests/golden and compared byte by byte."""

from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


class Golden:
    """Compares with tests/golden; rewrites instead where `update` is set (`--update-goldens`)."""

    def __init__(self, *, update: bool, folder: Path = FOLDER) -> None:
        self._update = update
        self._folder = folder

    def check(self, name: str, content: str | bytes) -> None:
        """Fail unless the golden file `name` exists and holds exactly `content`."""
        actual = content.encode() if isinstance(content, str) else content
        file = self._folder / name
        if self._update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(actual)
            return
        assert file.exists(), f"tests/golden/{name} is missing; write it with --update-goldens and review it"
        # Compared as text where it is text, so that pytest shows the lines that differ.
        assert _readable(actual) == _readable(file.read_bytes()), (
            f"tests/golden/{name} differs (--update-goldens)"
        )


def _readable(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
