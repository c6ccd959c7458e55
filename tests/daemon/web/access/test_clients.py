"""Who is at the other end of a request, told from what anybody may write into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web.access.clients import Client, RefusedError, Served, client, is_loopback, is_origin

NEAR = Served("127.0.0.1")
TLS = Served("0.0.0.0", tls=True)
BEHIND = Served("0.0.0.0", proxy="192.168.1.5")
SAID = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "https"), ("host", "line.example:8443")]


def refused(served: Served, peer: str, scheme: str, headers: list[tuple[str, str]]) -> int:
    with pytest.raises(RefusedError) as found:
        client(served, peer, scheme, headers)
    return found.value.status


@pytest.mark.parametrize("host", ["localhost:8650", "127.0.0.1:8650", "[::1]:8650", "LOCALHOST", "127.3.2.1"])
def test_this_machine_is_answered_by_its_own_names(host: str) -> None:
    found = client(NEAR, "127.0.0.1", "http", [("host", host)])
    assert found == Client("127.0.0.1", "http", f"http://{host.lower()}")


@pytest.mark.parametrize(
    "host", ["evil.example:8650", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.9", "0.0.0.0", "[::2]"]
)
def test_a_name_from_elsewhere_that_points_here_is_not_answered(host: str) -> None:
    assert refused(NEAR, "127.0.0.1", "http", [("host", host)]) == 421


@pytest.mark.parametrize(
    "hosts", [[], ["localhost", "localhost"], [""], ["local host"], ["localhost:x"], ["a/b"], ["a\x00"]]
)
def test_a_host_that_is_none_is_refused(hosts: list[str]) -> None:
    assert refused(NEAR, "127.0.0.1", "http", [("host", one) for one in hosts]) == 400
    assert refused(TLS, "198.51.100.7", "https", [("host", one) for one in hosts]) == 400


def test_nobody_elsewhere_is_served_in_the_clear() -> None:
    assert refused(TLS, "198.51.100.7", "http", [("host", "localhost")]) == 403
    assert refused(BEHIND, "198.51.100.7", "http", [("host", "localhost")]) == 403
    assert client(BEHIND, "127.0.0.1", "http", [("host", "localhost")]).address == "127.0.0.1"
    assert client(TLS, "198.51.100.7", "https", [("host", "line:8650")]).origin == "https://line:8650"


@pytest.mark.parametrize("name", ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"])
def test_a_proxy_that_nobody_named_is_found_out(name: str) -> None:
    assert refused(NEAR, "127.0.0.1", "http", [("host", "localhost"), (name, "127.0.0.1")]) == 403


def test_the_named_proxy_alone_is_believed() -> None:
    assert client(BEHIND, "192.168.1.5", "http", SAID) == Client("198.51.100.7", "https", "https://line.example:8443")
    assert client(BEHIND, "::ffff:192.168.1.5", "http", SAID).address == "198.51.100.7"
    assert refused(BEHIND, "192.168.1.6", "http", SAID) == 403
    assert client(TLS, "203.0.113.9", "https", SAID).address == "203.0.113.9"


def test_of_what_a_proxy_hands_on_its_own_word_alone_is_believed() -> None:
    forged = [("x-forwarded-for", "127.0.0.1, 10.0.0.1"), ("x-forwarded-for", "10.0.0.2, 198.51.100.7"), *SAID[1:]]
    assert client(BEHIND, "192.168.1.5", "http", forged).address == "198.51.100.7"
    named = [*SAID, ("x-forwarded-host", "evil.example, own.example")]
    assert client(BEHIND, "192.168.1.5", "http", named).origin == "https://own.example"


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_a_proxy_that_says_too_little_is_refused(left_out: int) -> None:
    headers = [one for index, one in enumerate(SAID) if index != left_out]
    assert refused(BEHIND, "192.168.1.5", "http", headers) in (400, 403)


def test_a_proxy_that_takes_passwords_in_the_clear_is_refused() -> None:
    assert refused(BEHIND, "192.168.1.5", "http", [SAID[0], ("x-forwarded-proto", "http"), SAID[2]]) == 403


@pytest.mark.parametrize(
    ("given_", "same"),
    [
        ("https://line.example:8443", True),
        ("https://LINE.example:8443", True),
        ("http://line.example:8443", False),
        ("https://line.example", False),
        ("https://line.example:8443.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("https://line.example:8443/", False),
        ("https://user@line.example:8443", False),
    ],
)
def test_an_origin_is_scheme_and_host_and_port(given_: str, same: bool) -> None:
    assert is_origin(given_, "https://line.example:8443") == same


def test_the_port_that_a_scheme_has_anyway_is_none() -> None:
    assert is_origin("https://line.example:443", "https://line.example")
    assert client(TLS, "203.0.113.9", "https", [("host", "line.example:443")]).origin == "https://line.example"


NAMES = st.sampled_from(["host", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"])
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["localhost", "127.0.0.1", "https", "http", "198.51.100.7", "line.example", ","]),
)


@given(
    st.sampled_from([NEAR, TLS, BEHIND, Served("::", tls=True, proxy="192.168.1.5")]),
    st.sampled_from(["127.0.0.1", "::1", "198.51.100.7", "192.168.1.5", "", "unix:"]),
    st.sampled_from(["http", "https"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
)
def test_whatever_is_written_into_headers_nobody_becomes_one_of_this_machine(
    served: Served, peer: str, scheme: str, headers: list[tuple[str, str]]
) -> None:
    try:
        found = client(served, peer, scheme, headers)
    except RefusedError:
        return
    if served.proxy is None or peer != served.proxy:
        assert found.address == peer
        assert found.scheme == scheme
        assert scheme == "https" or is_loopback(peer)
    else:
        assert found.scheme == "https"
    assert found.origin.startswith(f"{found.scheme}://")
