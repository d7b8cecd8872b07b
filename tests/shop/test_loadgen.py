import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from shop import loadgen
from tools import wait_for


class Server(ThreadingHTTPServer):
    """Answers everything, keeps connections open, and notes what came over which."""

    block_on_close = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.connections = [], set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self):
        self.server.connections.add(self.client_address)
        self.server.asked.append((self.command, self.path))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url_of(server):
    return f"http://127.0.0.1:{server.server_port}"


def test_the_mix_has_every_kind_of_request_and_mostly_looks():
    chance = random.Random(5)
    drawn = Counter(
        (method, urlsplit(path).path.split("/")[1]) for method, path, _ in (loadgen.draw(chance) for _ in range(2000))
    )
    assert {("GET", "products"), ("GET", "search"), ("POST", "orders"), ("GET", "users"), ("GET", "orders")} == set(
        drawn
    )
    assert drawn["GET", "products"] > drawn["GET", "search"] > drawn["GET", "users"]


def test_customers_keep_their_connections(server):
    stop = threading.Event()
    run = threading.Thread(
        target=loadgen.run, args=(url_of(server),), kwargs={"rate": 100, "seconds": 30, "connections": 3, "stop": stop}
    )
    run.start()
    wait_for(lambda: len(server.asked) >= 60, what="sixty requests")
    stop.set()
    run.join(timeout=10)
    assert not run.is_alive()
    assert 3 == len(server.connections)


def test_the_load_ends_when_its_time_is_up_and_keeps_its_rate(server):
    loadgen.run(url_of(server), rate=100, seconds=0.5, connections=2)
    assert 1 <= len(server.asked) <= 52


def test_a_shop_that_is_away_ends_nothing():
    loadgen.run("http://127.0.0.1:9", rate=50, seconds=0.2, connections=2)


@pytest.mark.parametrize("url", ["http://example.invalid", "http://192.0.2.1:80"])
def test_load_goes_to_this_machine_only(url):
    with pytest.raises((ValueError, OSError)):
        loadgen.run(url, rate=1, seconds=0.1, connections=1)


@pytest.mark.parametrize("option", ["--rate=0", "--rate=201", "--seconds=3601", "--connections=33"])
def test_a_load_beyond_its_bounds_is_refused(option, capsys):
    with pytest.raises(SystemExit) as refusal:
        loadgen.main(["http://127.0.0.1:9", option])
    assert 2 == refusal.value.code
    assert option.split("=")[0] in capsys.readouterr().err
