import pytest

from consumer.local.server_log import MOST_CHARACTERS, ServerLog


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("INFO up\nERROR no disk\nINFO closing\n", "ERROR no disk"),
        ("java.io.IOException: gone\n\tat x.y\nCaused by: a.b.C: why\n\tat z\n", "Caused by: a.b.C: why"),
        ("INFO one\nINFO two\n\n", "INFO two"),
        ("", "its log is empty"),
    ],
)
def test_the_last_words_are_the_last_that_speak_of_an_error(tmp_path, text, words):
    log = tmp_path / "broker.log"
    log.write_text(text)
    assert ServerLog(log).last_words() == words


def test_only_what_came_after_the_mark_counts(tmp_path):
    log = tmp_path / "broker.log"
    log.write_text("ERROR Address already in use\n")
    said = ServerLog(log)
    assert said.port_was_lost()
    said.mark()
    assert not said.port_was_lost()
    assert said.last_words() == "its log is empty"


def test_a_long_line_is_cut_and_no_bytes_are_too_strange(tmp_path):
    log = tmp_path / "broker.log"
    log.write_bytes(b"\xff\xfe" + b"x" * 10_000)
    assert len(ServerLog(log).last_words()) == MOST_CHARACTERS


HISTORY = "INFO Replayed BrokerRegistrationChangeRecord(brokerId=1, brokerEpoch=4, fenced=1, logDirs=[])\n"
FOUND = "INFO Fencing broker 1 at epoch 9 because its session has timed out.\n"
WRITTEN = "INFO Replayed BrokerRegistrationChangeRecord(brokerId=1, brokerEpoch=9, fenced=1, logDirs=[])\n"


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        (HISTORY, False),
        (HISTORY + FOUND, False),
        (HISTORY + FOUND + WRITTEN, True),
        (FOUND + WRITTEN.replace("fenced=1", "fenced=-1"), False),
    ],
)
def test_a_node_is_dead_once_that_was_found_and_written_down_and_not_because_it_was_once_before(
    tmp_path, text, dead
):
    log = tmp_path / "broker.log"
    log.write_text(text)
    assert ServerLog(log).node_is_dead() is dead
