"""Limits of connections: on headers, bodies, time and their number, applied before any work."""

import json
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.bench.load import memory_of
from tests.serve.client import running

pytestmark = pytest.mark.alone

GOOD = json.dumps({"windows": [{"values": [[1, 2]] * 8}]}).encode()
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def served(pair, tmp_path_factory):
    """A server with small limits and a key: the limits are applied before the key is checked."""
    folder = tmp_path_factory.mktemp("model")
    pair.save(folder / "pair.safetensors")
    (folder / "key").write_text("s3cret")
    limits = ["--max-seconds", "2", "--max-connections", "20", "--max-body", "100000"]
    with (folder / "log").open("w") as log:
        arguments = [folder / "pair.safetensors", "--api-key-file", folder / "key", *limits, "--log-level", "info"]
        with running(*arguments, log=log) as (process, address):
            yield process, address


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def answer_of(connection: socket.socket) -> tuple[int, str]:
    """Status and sentence of an answer, read until the server closes; 0 without an answer."""
    found = b"".join(iter(lambda: connection.recv(2**16), b""))
    if not found:
        return 0, ""
    head, body = found.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(body)["detail"]


def send(connection: socket.socket, part: bytes, times: int) -> None:
    """Send bytes until the server refuses them."""
    try:
        for _ in range(times):
            connection.sendall(part)
    except OSError:
        pass


FLOODS = {
    "one header": (b"x: ", b"a" * 2**20, 431),
    "many headers": (b"", b"".join(b"x%d: y\r\n" % i for i in range(50_000)), 431),
    "a long path": (b"", b"/" + b"a" * 2**20, 431),
    "a chunk's extension": (b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 2**20, 431),
    "trailers": (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"".join(b"x%d: y\r\n" % i for i in range(50_000)), 431),
    "a body in chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b" " * 2**20 + b"\r\n", 413),
    "a body that is told": (b"Content-Length: 400000000\r\n\r\n", b" " * 2**20, 413),
}


@pytest.mark.parametrize("name", FLOODS)
def test_too_many_bytes_are_refused_without_memory(served, name):
    """100 MB are sent; other clients are answered meanwhile."""
    process, address = served
    begin, part, status = FLOODS[name]
    before = memory_of(process.pid)
    first = b"POST " if name == "a long path" else HEAD + b"X-API-Key: s3cret\r\n"
    with connect(address) as connection:
        connection.sendall(first + begin)
        sender = threading.Thread(target=send, args=(connection, part, 100 * 2**20 // len(part)))
        sender.start()
        assert httpx.get(f"{address}/health").status_code == 200
        found, words = answer_of(connection)
        sender.join()
    assert found == status
    assert words.startswith("expected a ")
    # what the system has given to a buffer is kept: some of the 256 kB that are read at a time
    assert memory_of(process.pid) < before + 16


@pytest.mark.parametrize(
    ("begin", "part", "status"),
    [
        (b"POST /predict HTTP/1.1\r\nx: ", b"a", 408),
        (HEAD + b"X-API-Key: s3cret\r\nContent-Length: 1000\r\n\r\n", b" ", 408),
        (b"", b"", 0),
        (b"\r\n", b"\r\n", 0),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" ", 401),
    ],
    ids=["head", "body", "nothing", "empty lines", "body of what was refused"],
)
def test_a_slow_client_has_two_seconds(served, begin, part, status):
    _, address = served
    with connect(address) as connection:
        connection.sendall(begin)
        answered = threading.Event()
        sender = threading.Thread(
            target=lambda: [send(connection, part, 1) for _ in iter(lambda: answered.wait(0.1), True)]
        )
        sender.start()
        found, _ = answer_of(connection)
        answered.set()
        connection.close()
        sender.join()
    assert found == status


def test_the_longest_idle_connection_is_closed_for_a_new_one(served):
    """More idle connections than allowed: a new one is answered all the same."""
    _, address = served
    idle = [connect(address) for _ in range(60)]
    try:
        for _ in range(3):
            assert httpx.get(f"{address}/health").status_code == 200
    finally:
        for each in idle:
            each.close()


def test_invalid_http_is_answered_with_one_sentence(served):
    _, address = served
    for sent in (
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x00" * 9,
    ):
        with connect(address) as connection:
            connection.sendall(sent)
            status, words = answer_of(connection)
            assert status == 400
            assert words == "expected a request of HTTP/1.1, got what can't be read as one"


def test_earlier_requests_of_a_connection_are_answered_before_a_refusal(served):
    _, address = served
    asked = HEAD + b"X-API-Key: s3cret\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD)
    with connect(address) as connection:
        connection.sendall(3 * asked + b"GET / HTTP/9.9\r\n\r\n")
        found = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert found.count(b"HTTP/1.1 200 OK") == 3
    assert found.count(b"HTTP/1.1") <= 4


def test_a_request_to_change_the_protocol_is_answered_in_http(served):
    _, address = served
    for protocol in (b"websocket", b"h2c"):
        with connect(address) as connection:
            ask = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % protocol
            connection.sendall(ask)
            assert b"".join(iter(lambda c=connection: c.recv(2**16), b"")).startswith(b"HTTP/1.1 200")


def test_a_client_that_disconnects_is_not_a_server_error(served, tmp_path_factory):
    _, address = served
    with connect(address) as connection:
        connection.sendall(HEAD + b"X-API-Key: s3cret\r\nContent-Length: 1000\r\n\r\n{")
        time.sleep(0.1)
    text = ""
    for _ in range(100):
        text = httpx.get(f"{address}/metrics", headers={"X-API-Key": "s3cret"}).text
        if 'status="499"' in text:
            break
        time.sleep(0.05)
    assert 'lstmforecast_requests_total{path="/predict",status="499"}' in text
    assert 'status="500"' not in text


def test_a_server_that_stops_under_load_loses_no_request(pair, tmp_path):
    """Connections of one request and of many: each request is answered, or its connection refused."""
    pair.save(tmp_path / "pair.safetensors")
    told, lost, answered = threading.Event(), [], []

    def ask(address: str, stays: bool) -> None:
        while True:
            try:
                connection = connect(address)
            except ConnectionRefusedError:
                return
            with connection as open_one:
                while True:
                    try:
                        open_one.sendall(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD))
                        found = open_one.recv(2**16)
                        assert found.startswith(b"HTTP/1.1 200"), found
                        while not found.endswith(b"}]}"):
                            found += open_one.recv(2**16)
                    except (OSError, AssertionError) as error:
                        lost.append((told.is_set(), repr(error)))
                        return
                    answered.append(told.is_set())
                    if not stays or b"connection: close" in found:
                        break

    with (tmp_path / "log").open("w") as log, running(tmp_path / "pair.safetensors", log=log) as (process, address):
        threads = [threading.Thread(target=ask, args=(address, i % 2 == 0)) for i in range(16)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        told.set()
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert process.wait(30) in (0, -signal.SIGTERM)
    assert lost == []
    assert answered.count(False) > 100
    assert answered.count(True) > 0
    assert '"stopped"' in Path(log.name).read_text()
