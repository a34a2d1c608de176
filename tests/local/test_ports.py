import socket

from consumer.local import ports


def test_a_picked_port_is_free_and_below_those_of_outgoing_connections():
    port = ports.pick()
    assert ports.FIRST <= port < ports.LAST < 32_768
    assert ports.is_free(port)


def test_a_port_that_a_server_listens_on_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not ports.is_free(server.getsockname()[1])
