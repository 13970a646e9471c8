"""Addresses that show no secret, and answers to password challenges."""

from __future__ import annotations

import pytest

from edge_agent.sources.address import parse_address
from edge_agent.sources.auth import Login

_PORTS = {"rtsp": 554}


def test_parts() -> None:
    """User, password, host, port and target are taken apart and unquoted."""
    address = parse_address("rtsp://me:p%40ss@cam.local:8554/a/b?c=1", _PORTS)
    assert (address.user, address.password) == ("me", "p@ss")
    assert (address.host, address.port, address.target) == ("cam.local", 8554, "/a/b?c=1")
    assert address.shown == "rtsp://cam.local:8554/a/b"


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://me:geheim@cam/x",
        "rtsp://me:ge@heim@cam/x",
        "rtsp://cam/x?user=me&password=geheim",
        "rtsp://cam/user=me&password=geheim&channel=1",
        "rtsp://me:geheim@[fe80::1]:554/x",
    ],
)
def test_shows_no_secret(url: str) -> None:
    """Wherever the password stands, it is not shown."""
    shown = parse_address(url, _PORTS).shown
    assert "heim" not in shown
    assert shown.startswith("rtsp://")


@pytest.mark.parametrize(
    "url", ["rtsp://me:gehe/im@cam/x", "http://geheim@cam", "geheim", "rtsp://"]
)
def test_bad_address_shows_no_secret(url: str) -> None:
    """A wrong address is refused without repeating it."""
    with pytest.raises(ValueError, match="url") as error:
        parse_address(url, _PORTS)
    assert "gehe" not in str(error.value)


def test_ipv6() -> None:
    """An IPv6 host keeps its brackets where they are shown."""
    address = parse_address("rtsp://[::1]:8554/x", _PORTS)
    assert (address.host, address.shown) == ("::1", "rtsp://[::1]:8554/x")


def _rfc7616(algorithm: str) -> str:
    """The challenge of RFC 7616, section 3.9.1."""
    return (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", '
        f'algorithm={algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_of_the_rfc(algorithm: str, response: str) -> None:
    """The example of RFC 7616 gives its response."""
    nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    login = Login("Mufasa", "Circle of Life", lambda: nonce)
    assert login.challenged([_rfc7616(algorithm)])
    header = login.headers("GET", "/dir/index.html")["Authorization"]
    assert f'response="{response}"' in header
    assert "nc=00000001" in header
    assert "nc=00000002" in login.headers("GET", "/dir/index.html")["Authorization"]


def test_digest_without_qop() -> None:
    """The example of RFC 2069 (as corrected), whose form many cameras use, gives its response."""
    login = Login("Mufasa", "CircleOfLife")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert login.challenged([f'Digest realm="testrealm@host.com", nonce="{nonce}"'])
    header = login.headers("GET", "/dir/index.html")["Authorization"]
    assert "qop" not in header
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in header


def test_digest_before_basic() -> None:
    """Where both are offered the password itself is not sent."""
    login = Login("u", "p")
    assert login.challenged(['Basic realm="x"', 'Digest realm="x", nonce="n"'])
    assert login.headers("GET", "/")["Authorization"].startswith("Digest ")


def test_what_cannot_be_answered() -> None:
    """Without a user, or with an unknown scheme, there is no answer."""
    assert not Login("", "").challenged(['Basic realm="x"'])
    login = Login("u", "p")
    assert not login.challenged(["Bearer", 'Digest realm="x", nonce="n", algorithm=MD5-sess'])
    assert login.headers("GET", "/") == {}
