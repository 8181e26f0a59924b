"""Requests through a browser: host names, origins, and JSON, which forms of other sites can't post."""

import httpx
import pytest
from tests.serve.client import Client, posted, running, sentence

from lstmforecast.serve import create_app

GOOD = {"windows": [{"values": [[1, 2]] * 8}]}


@pytest.fixture(scope="module")
def address(pair, tmp_path_factory):
    """A server at the loopback address, without a key."""
    folder = tmp_path_factory.mktemp("model")
    pair.save(folder / "pair.safetensors")
    with (folder / "log").open("w") as log, running(folder / "pair.safetensors", log=log) as (_, address):
        yield address


def asked(address: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{address}/predict", json=GOOD, headers=named)


@pytest.mark.parametrize("host", ["localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:80", "[::1]:8000", "[::1]"])
def test_names_of_the_loopback_address_are_accepted(address, host):
    assert asked(address, Host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil:8000", "", "127.0.0.1.nip.io", "[::2]", "x" * 500])
def test_other_names_of_the_loopback_address_are_refused(address, host):
    """DNS rebinding: the host name of a page points to the visitor's machine."""
    response = asked(address, Host=host)
    words = sentence(response, 421)
    assert words.startswith(
        "expected a Host of localhost, 127.0.0.1, ::1 or --allowed-hosts (allowed_hosts= in Python)"
    )
    assert len(response.content) < 300


def test_a_page_of_another_site_is_refused(address):
    for origin in ("https://evil.example", "null", "http://localhost:1", "http://[", "x" * 500):
        response = asked(address, Origin=origin)
        assert sentence(response, 403).startswith("expected a request of this server's own page, got Origin: ")
        assert len(response.content) < 300
    assert asked(address, Origin=address).status_code == 200


def test_allowed_hosts_and_their_pages_are_accepted(pair):
    app = create_app(pair, allowed_hosts=["forecasts.example", "[fd00::1]"])
    for host, status in (
        ("forecasts.example", 200),
        ("forecasts.example:443", 200),
        ("[fd00::1]", 200),
        ("other", 421),
    ):
        assert Client(app, Host=host).predict(GOOD).status_code == status
    page = {"Host": "localhost", "Origin": "https://forecasts.example"}
    assert Client(app, **page).predict(GOOD).status_code == 200
    assert Client(app, **page | {"Origin": "https://other.example"}).predict(GOOD).status_code == 403
    # where any name will do, a page of no site is still none of ours
    assert Client(create_app(pair), Host="", Origin="null").predict(GOOD).status_code == 403
    with pytest.raises(TypeError, match="expected allowed_hosts to be names such as"):
        create_app(pair, allowed_hosts="forecasts.example")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None])
def test_only_json_is_read(pair, hourly, kind):
    """Pages can post other types to any site; for JSON, browsers first send a preflight request, which is refused."""
    app = create_app({"pair": pair, "hourly": hourly}, log="sqlite://")
    for path in ("/predict", "/actuals"):
        method, _, options = posted(path, GOOD)
        headers = {} if kind is None else {"Content-Type": kind}
        (response,) = Client(app).together((method, path, {"content": options["content"], "headers": headers}))
        assert sentence(response, 415).startswith("expected Content-Type: application/json, got ")
    json = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert Client(app).predict(GOOD | {"model": "pair"}, headers=json).status_code == 200


def test_the_page_forbids_frames_and_nothing_redirects(pair):
    client = Client(create_app(pair))
    page = client.get("/")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    for path in ("/metrics/", "/predict/", "/health/"):
        response = client.get(path, headers={"Host": "evil.example"})
        assert response.status_code == 404
        assert "location" not in response.headers
