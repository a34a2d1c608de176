"""`sluice produce` on a real broker: every record arrives once, unchanged, where other producers would put it."""

from __future__ import annotations

import gzip
import json
import re
from datetime import date

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.cli.exits import ExitCode
from consumer.cli.produce import command
from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import write_ndjson
from tests.faults.kafka_proxy import Api, Fate, KafkaProxy

pytestmark = pytest.mark.broker


def run(tmp_path, servers, *arguments, **kafka):
    config = tmp_path / "sluice.toml"
    properties = {"bootstrap.servers": servers, **kafka}
    config.write_text(
        "[kafka]\n" + "".join(f'"{name}" = {json.dumps(value)}\n' for name, value in properties.items())
    )
    return CliRunner().invoke(command, [*map(str, arguments), "--config", str(config)])


def stored(servers, topic):
    """Everything in the topic: (partition, key, value), each partition in its order."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "-", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    records, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(10)
        assert message is not None, "the broker does not answer"
        if message.error():
            ended += 1
        else:
            records.append((message.partition(), message.key(), message.value()))
    consumer.close()
    return records, len(partitions)


def java_partition(key, partitions):
    """What Java's default partitioner says: org.apache.kafka.common.utils.Utils.murmur2, made positive, modulo."""
    size, mask = len(key), 0xFFFFFFFF
    h = 0x9747B28C ^ size
    for at in range(0, size - size % 4, 4):
        k = int.from_bytes(key[at : at + 4], "little") * 0x5BD1E995 & mask
        k = (k ^ k >> 24) * 0x5BD1E995 & mask
        h = h * 0x5BD1E995 & mask ^ k
    if rest := key[size - size % 4 :]:
        h = (h ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & mask
    h = (h ^ h >> 13) * 0x5BD1E995 & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


@pytest.fixture
def topic(topic_prefix):
    return f"{topic_prefix}events"


@pytest.fixture
def servers(broker):
    return broker.bootstrap_servers


def admin(servers, topic, partitions, **config):
    made = AdminClient({"bootstrap.servers": servers})
    made.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(10)


def test_every_event_arrives_unchanged_in_the_partition_that_java_would_choose(tmp_path, servers, topic):
    shop = list(events(ShopOptions(3, date(2025, 3, 1), days=1)))
    path = tmp_path / "shop.ndjson"
    with path.open("wb") as file:
        write_ndjson(shop, file)
    result = run(tmp_path, servers, path, "--topic", topic, "--partitions", 3)
    assert result.exit_code == ExitCode.FINE, result.output
    assert result.stdout.startswith(
        f"Created the topic {topic} with 3 partitions.\n{len(shop):,} records went to"
    )
    records, partitions = stored(servers, topic)
    assert partitions == 3
    assert sorted((key or b"", value) for _, key, value in records) == sorted(
        (event.key() or b"", event.value()) for event in shop
    )
    for partition in range(3):
        here = [value for number, key, value in records if number == partition and key]
        wanted = [e.value() for e in shop if e.key() and java_partition(e.key(), 3) == partition]
        assert here == wanted
        said = re.search(rf"  partition {partition}: ([\d,]+)\n", result.stdout)
        assert int(said[1].replace(",", "")) == sum(number == partition for number, _, _ in records)


def test_csv_rows_arrive_as_objects_keyed_by_the_contracts_names_and_aliases(tmp_path, servers, topic):
    (tmp_path / "a.csv").write_bytes(b"client_id,n\na,1\n,2\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"clientId,n\nb,3\n"))
    admin(servers, topic, 1)
    result = run(tmp_path, servers, tmp_path / "a.csv", tmp_path / "b.csv.gz", "--topic", topic)
    assert (result.exit_code, result.stderr) == (ExitCode.FINE, "")
    assert result.stdout == f"3 records went to the topic {topic}.\n  partition 0: 3\n"
    assert stored(servers, topic)[0] == [
        (0, b"a", b'{"client_id":"a","n":"1"}'),
        (0, None, b'{"client_id":null,"n":"2"}'),
        (0, b"b", b'{"clientId":"b","n":"3"}'),
    ]


def test_lines_that_cannot_be_read_are_sent_as_they_are(tmp_path, servers, topic):
    (tmp_path / "a.csv").write_bytes(b"client_id,n\na,1\nx\n\xff,\n")
    (tmp_path / "b.ndjson").write_bytes(b"no json\n\n")
    stored_only = gzip.compress(b'{"client_id":"c"}\n{"client_id":"d"}\n', compresslevel=0)
    (tmp_path / "c.ndjson.gz").write_bytes(stored_only[:-11])  # 8 bytes of gzip's own, and 3 of ours
    files = [tmp_path / name for name in ("a.csv", "b.ndjson", "c.ndjson.gz")]
    result = run(tmp_path, servers, *files, "--topic", topic, "--partitions", 1)
    assert result.exit_code == ExitCode.FINE
    records, _ = stored(servers, topic)
    assert records == [
        (0, b"a", b'{"client_id":"a","n":"1"}'),
        (0, None, b"x\n"),
        (0, None, b"\xff,\n"),
        (0, None, b"no json"),
        (0, b"c", b'{"client_id":"c"}'),
        (0, None, b'{"client_id":"d'),
    ]
    assert (
        "3 of them could not be read and went as they are: 1 cut_short, 1 not_json, 1 not_utf8.\n"
        in result.stdout
    )
    assert result.stderr == "c.ndjson.gz, line 2: the file breaks off: its gzip data end too early.\n"


def test_a_record_larger_than_the_topic_allows_is_said_and_the_others_are_sent(tmp_path, servers, topic):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n":1}\n{"n":"' + b"x" * 200_000 + b'"}\n{"n":3}\n')
    admin(servers, topic, 1, **{"max.message.bytes": "100000"})
    result = run(tmp_path, servers, path, "--topic", topic)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert f"not sent, since the topic {topic} takes none that large: 1 record;" in result.stderr
    assert [value for _, _, value in stored(servers, topic)[0]] == [b'{"n":1}', b'{"n":3}']


def test_a_full_queue_slows_the_reading_and_loses_nothing(tmp_path, servers, topic):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(1500)))
    full = {"queue.buffering.max.messages": 50}
    result = run(tmp_path, servers, path, "--topic", topic, "--partitions", 1, **full)
    assert result.exit_code == ExitCode.FINE
    assert [json.loads(value)["n"] for _, _, value in stored(servers, topic)[0]] == list(range(1500))


def test_speed_sends_everything_in_order(tmp_path, servers, topic):
    path = tmp_path / "a.ndjson"
    lines = [b'{"timestamp":"2025-03-01T%02d:00:00.000Z"}' % hour for hour in range(24)]
    path.write_bytes(b"\n".join([*lines, b"no time"]))
    result = run(tmp_path, servers, path, "--topic", topic, "--partitions", 1, "--speed", "200000x")
    assert result.exit_code == ExitCode.FINE
    assert [value for _, _, value in stored(servers, topic)[0]] == [*lines, b"no time"]


def test_a_file_that_cannot_be_read_ends_with_one_sentence_after_what_came_before(tmp_path, servers, topic):
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    (tmp_path / "b.csv").write_bytes(b"\xff\xff\n1\n")
    result = run(tmp_path, servers, tmp_path / "a.ndjson", tmp_path / "b.csv", "--topic", topic)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert f"1 record went to the topic {topic}." in result.stdout
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "b.csv: its first line is no line of CSV column names" in result.stderr


def test_a_missing_file_is_said_before_anything_is_created(tmp_path, servers, topic):
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    result = run(tmp_path, servers, tmp_path / "a.ndjson", tmp_path / "b.ndjson", "--topic", topic)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert "there is no file" in result.stderr
    assert topic not in AdminClient({"bootstrap.servers": servers}).list_topics(timeout=10).topics


def test_a_delivery_that_fails_ends_with_one_sentence(tmp_path, servers, topic):
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"{}\n" * 10)
    admin(servers, topic, 1, **{"cleanup.policy": "compact"})  # which takes no record without a key
    result = run(tmp_path, servers, path, "--topic", topic)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert result.stdout == f"0 records went to the topic {topic}.\n"
    assert re.fullmatch(rf"Error: the topic {topic} did not take a record: Broker: .+\n", result.stderr)


def test_brokers_that_do_not_answer_are_said_with_their_address(tmp_path, monkeypatch):
    monkeypatch.setattr("consumer.runtime.kafka.topics.TIMEOUT_SECONDS", 1)
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    result = run(tmp_path, "127.0.0.1:1", tmp_path / "a.ndjson")
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert re.fullmatch(
        r"Error: the brokers cannot be reached: .+; they should answer at 127.0.0.1:1\n", result.stderr
    )


def test_a_broker_that_stands_still_just_when_it_should_make_the_topic_is_said(
    tmp_path, servers, topic, monkeypatch
):
    monkeypatch.setattr("consumer.runtime.kafka.sender.TIMEOUT_SECONDS", 1)
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")

    def judge(request):
        return Fate.SWALLOW_ANSWER if request.api is Api.CREATE_TOPICS else Fate.PASS

    with KafkaProxy(servers, judge) as proxy:
        result = run(tmp_path, proxy.address, tmp_path / "a.ndjson", "--topic", topic)
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert f"could not create the topic {topic}: no broker answered in time" in result.stderr


def test_a_property_that_librdkafka_does_not_know_is_said(tmp_path, servers):
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    result = run(tmp_path, servers, tmp_path / "a.ndjson", **{"no.such": "1"})
    assert result.exit_code == ExitCode.NOT_POSSIBLE
    assert '"no.such", which librdkafka does not know' in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "fast"], "must be a number above 0"),
        (["--speed", "0x"], "must be a number above 0"),
        (["--topic", "a b"], "letters, digits, dots"),
        (["--partitions", "0"], "not in the range"),
    ],
)
def test_wrong_usage_is_explained(tmp_path, arguments, words):
    result = run(tmp_path, "127.0.0.1:1", tmp_path / "a.ndjson", *arguments)
    assert result.exit_code == 2  # click's own; the program turns it into 64
    assert words in result.stderr
