from consumer.local.server_properties import controller_properties, server_properties


def lines(port: int = 1, controller_port: int = 2, more: dict[str, str] | None = None) -> dict[str, str]:
    return dict(
        line.split("=", 1) for line in server_properties(port, controller_port, more or {}).splitlines()
    )


def test_the_node_listens_on_the_loopback_address_only():
    named = lines(9092, 9093)
    assert named["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert named["advertised.listeners"] == named["listeners"]
    assert named["controller.quorum.voters"] == "1@127.0.0.1:9093"


def test_given_settings_win_but_cannot_move_the_node():
    named = lines(
        more={"num.io.threads": "9", "log.dirs": "/elsewhere", "listeners": "PLAINTEXT://0.0.0.0:1"}
    )
    assert named["num.io.threads"] == "9"
    assert named["log.dirs"] == "log"
    assert "0.0.0.0" not in named["listeners"]


def test_more_listeners_are_on_the_loopback_address_too():
    text = server_properties(1, 2, {}, {"SASL_SSL": 3})
    assert text.count(",SASL_SSL://127.0.0.1:3\n") == 2


def test_no_value_can_add_a_line_or_leave_ascii():
    text = server_properties(1, 2, {"a b": "x\nlog.dirs=/elsewhere", "c": "C:\\ü😀"})
    assert text.isascii()
    assert "a\\ b=x\\u000alog.dirs=/elsewhere\n" in text
    assert "c=C:\\\\\\u00fc\\ud83d\\ude00\n" in text


def test_as_a_controller_alone_it_is_the_same_node_and_finds_out_quickly():
    named = dict(line.split("=", 1) for line in controller_properties(9093, {"x": "1"}).splitlines())
    whole = lines(9092, 9093)
    assert named["process.roles"] == "controller"
    assert named["listeners"] == "CONTROLLER://127.0.0.1:9093"
    assert {name: named[name] for name in ("node.id", "log.dirs", "controller.quorum.voters")} == {
        name: whole[name] for name in ("node.id", "log.dirs", "controller.quorum.voters")
    }
    assert int(named["broker.session.timeout.ms"]) < 1_000 < int(whole["broker.session.timeout.ms"])
    assert named["x"] == "1"
