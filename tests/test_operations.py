"""The recipes for operating name what there is, and all of it. tests/broker/test_start_over.py runs what deletes."""

import re
import tomllib
from pathlib import Path

from consumer.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEPT = {"input", "valid", "notices", "requeued", "replication_factor"}
"""Of [topics]: what starting over leaves, or names apart."""


def block(language, holding):
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) if holding in text]
    return found


def test_a_second_environment_has_another_name_for_everything_that_has_one(tmp_path):
    (tmp_path / "staging.toml").write_text(block("toml", "staging"))
    staging, first = load_settings(tmp_path / "staging.toml", {}), Settings()
    other, names = staging.topics.model_dump(), first.topics.model_dump()
    same = {name for name in names if other[name] == names[name]}
    assert same == {"replication_factor"}
    assert len({*other.values()}) == len(other)
    assert staging.group != first.group
    assert staging.deliver.out != first.deliver.out
    assert staging.metrics.port != first.metrics.port
    assert tomllib.loads(block("toml", "staging")).keys() == {"group", "topics", "deliver", "metrics"}


def test_starting_over_deletes_every_topic_of_ours_and_none_that_is_not():
    made = {name for key, name in Settings().topics.model_dump().items() if key not in KEPT}
    (listed,) = re.findall(r"^made = \[(.*)\]$", block("python", "made"), re.MULTILINE)
    assert set(re.findall(r'"(.+?)"', listed)) == made
    (pattern,) = re.findall(r"--topic '(.+)'", block("sh", "kafka-topics.sh"))
    topics = [name for name in Settings().topics.model_dump().values() if isinstance(name, str)]
    assert {name for name in topics if re.fullmatch(pattern, name)} == made


def test_the_readme_leads_to_every_recipe_and_says_what_starting_over_loses():
    assert "docs/operations.md" in README
    (over,) = re.findall(r"^- \*\*Starting over\*\*.*$", README, re.MULTILINE)
    for lost in ("releases", "acknowledgements", "silences", "accepted levels"):
        assert lost in over
        assert lost in TEXT


def test_links_within_and_to_other_files_lead_somewhere():
    def anchors(text):
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}

    for source in (TEXT, README):
        for target in re.findall(r"\]\((?!http)([^)#]*#[^)]+)\)", source):
            file, _, anchor = target.partition("#")
            there = (
                source
                if not file
                else (ROOT / "docs" / file).resolve().read_text("utf-8")
                if source is TEXT
                else (ROOT / file).read_text("utf-8")
            )
            assert anchor in anchors(there), target
