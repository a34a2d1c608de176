"""Documentation that cannot lie: generated tables are what the code says, and what is named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consumer.cli.main import COMMANDS
from consumer.runtime.metrics import metrics_markdown
from consumer.settings import receivers_markdown, settings_markdown
from detectors.rules import rules_markdown

ROOT = Path(__file__).parents[1]
TABLES = {
    "settings": settings_markdown,
    "receivers": receivers_markdown,
    "metrics": metrics_markdown,
    "kinds": rules_markdown,
}


def section(text: str, name: str) -> re.Match[str]:
    found = re.search(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- end -->)", text, re.DOTALL)
    assert found is not None, f"README.md has no generated section {name}"
    return found


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_has_the_table_that_the_code_makes(name, request):
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    found, wanted = section(text, name), TABLES[name]().strip() + "\n"
    if request.config.getoption("--update-goldens"):
        readme.write_text(text.replace(found[0], found[1] + wanted + found[3]), encoding="utf-8")
    else:
        assert found[2] == wanted, "run `make docs`"


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_every_file_and_folder_that_the_architecture_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:consumer|detectors|reports|tests|runtime)/[\w/.]*)`", text))
    assert len(named) > 15  # the expression still finds them
    missing = [name for name in named if not ((ROOT / name).exists() or (ROOT / "consumer" / name).exists())]
    assert missing == []


def test_every_folder_of_ours_is_named_in_the_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = {f"{path.parent.relative_to(ROOT)}" for path in (ROOT / "consumer").glob("*/__init__.py")}
    assert [folder for folder in sorted(folders) if f"`{folder}/`" not in text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command):
    assert f"{command}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_tracked_file_names_a_path_of_a_machine_or_a_registry():
    odd = re.compile(r"/(?:home/\w+/\w|root/|work/)|pypi\.org|files\.pythonhosted|repo1?\.maven")
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        if path.suffix in {".py", ".md", ".toml", ".txt", ".in", ".yml", ".yaml"} and inside[0][0] != ".":
            text = path.read_text(encoding="utf-8", errors="replace").replace("/home/sluice/", "")
            if path != Path(__file__):
                assert not odd.search(text), f"{path.relative_to(ROOT)}: {odd.search(text)}"
