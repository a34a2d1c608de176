"""The recipes do what they say: those for DuckDB are run on files that we write, and every command is one of ours."""

import re
from pathlib import Path

import duckdb
import pytest
import yaml

from consumer.cli.main import COMMANDS, sluice
from reports.deliver import render_files
from tests.reports.sample_state import quarantined

ROOT = Path(__file__).parents[1]
RECIPES = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", RECIPES, re.DOTALL)


def blocks(language, holding):
    found = [block for name, block in BLOCKS if name == language and holding in block]
    assert found, f"there is no recipe in {language} with {holding}"
    return found


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with delivered files in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    for name, content in render_files(*quarantined()).items():
        (tmp_path / "reports" / name).write_bytes(content)


def test_duckdb_reads_the_usable_days_and_the_alerts(shop, capsys):
    (recipe,) = blocks("python", "import duckdb")
    exec(compile(recipe, "recipes.md", "exec"), {})  # noqa: S102 - what it says is what is tried
    days, alerts = capsys.readouterr().out.split("minutes_to_detection")
    assert "21000.50" in days
    assert "2025-02-24" in days
    assert "2025-02-26" not in days  # quarantined
    assert "transaction_collision" in alerts
    assert duckdb.sql("select count(*) from days where revenue is null").fetchall() == [(0,)]


@pytest.mark.parametrize("block", [block for name, block in BLOCKS if name == "python"])
def test_python_is_python(block):
    compile(block, "recipes.md", "exec")


def test_the_dbt_source_names_our_file_and_every_status():
    (source,) = yaml.safe_load(blocks("yaml", "sources:")[0])["sources"]
    (table,) = source["tables"]
    assert f"{table['name']}.csv" in render_files([], [])
    (values,) = [c["data_tests"][0]["accepted_values"]["arguments"]["values"] for c in table["columns"][1:]]
    assert values == ["open", "pass", "at_risk", "quarantined", "released"]


@pytest.mark.parametrize("file", ["docs/recipes.md", "docs/operations.md", "README.md"])
def test_every_command_that_is_named_is_one_of_ours(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    named = re.findall(r"(?:^|[`/ {;])sluice (\w+)((?: +[^`\n;&|\]]+)?)", text)
    commands = [(name, rest) for name, rest in named if name in COMMANDS]
    assert commands
    for name, rest in commands:
        command = sluice.get_command(None, name)
        parts = [command, *getattr(command, "commands", {}).values()]
        known = {option for part in parts for parameter in part.params for option in parameter.opts}
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", rest)) <= known | {"--help"}, (name, rest)
