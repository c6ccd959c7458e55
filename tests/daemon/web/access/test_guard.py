"""What stands before every page, met over HTTP as anybody may meet it."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from daemon.web.access.attempts import BY_NAME, Attempts
from daemon.web.access.audit import Note, What
from daemon.web.access.passwords import Passwords
from daemon.web.access.users import AT_THE_SCREEN, Role
from tests.daemon.web.access.conftest import HTML, PASSWORD, Guarded, pair
from tests.daemon.web.conftest import line_state

Make = Callable[..., Guarded]


@pytest.fixture
def near(guarded: Make) -> Guarded:
    """Served to this machine alone, with a user of each role."""
    one = guarded()
    for role in Role:
        one.add(role.value, role)
    return one


# --- who may come in ---


def test_while_there_are_no_users_whoever_sits_there_may_mark_and_is_no_engineer(guarded: Make) -> None:
    screen = guarded()
    visitor = screen.visitor()
    assert visitor.get("/").status_code == 200
    assert "/logout" not in visitor.get("/").text
    assert visitor.get("/login").headers["location"] == "/"
    # There is no such page to send to, and that is all that is wrong with it.
    assert visitor.post("/", visitor.form_token("/")).status_code == 405
    assert visitor.get("/users").status_code == 403
    assert not screen.book.path.exists()


def test_once_there_is_a_user_a_login_is_needed_at_this_machine_too(guarded: Make) -> None:
    screen = guarded()
    visitor = screen.visitor()
    assert visitor.get("/").status_code == 200
    screen.add("anna", Role.OPERATOR)
    assert visitor.get("/").headers["location"] == "/login"


def test_nothing_is_told_without_a_login(near: Guarded) -> None:
    visitor = near.visitor()
    odd = (
        "/static",
        "/login/",
        "//",
        "/Login",
        "/x/static/",
        "/%2e%2e/",
        "/login%00",
        "/login/../events",
        "/%6cogin/x",
    )
    pages = [
        re.sub(r"\{.*?\}", "1", one.path) for one in near.routes if isinstance(one, Route) and one.path != "/login"
    ]
    assert {"/", "/users"} < set(pages)
    for path in (*pages, "/no/such/page", *odd):
        plain = visitor.client.get(path)
        assert (path, plain.status_code, plain.text) == (path, 401, "log in first\n")
        page = visitor.get(path)
        assert page.status_code == 303
        assert page.headers["location"].startswith("/login")
        assert page.text == ""
        assert "Content-Security-Policy" in page.headers
        assert page.headers["cache-control"] == "no-store"


def test_the_login_page_has_what_it_needs_and_tells_nothing_of_the_line(near: Guarded) -> None:
    visitor = near.visitor()
    page = visitor.get("/login")
    assert page.status_code == 200
    assert "P10B" not in page.text
    assert "/history" not in page.text
    assert re.search(r"<(script|style)(?![^>]*src)", page.text) is None
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        assert visitor.get(address).status_code == 200
    for language in ("de", "zh"):
        assert f'lang="{language}"' in visitor.get(f"/login?lang={language}").text


def test_a_login_leads_to_the_page_that_was_asked_for(near: Guarded) -> None:
    visitor = near.visitor()
    to_login = visitor.get("/history?product=A%26B&page=2").headers["location"]
    hidden = re.search(r'name="next" value="([^"]*)"', visitor.get(to_login).text)
    assert hidden is not None
    then = hidden[1].replace("&amp;", "&")
    assert visitor.login("operator", then=then).headers["location"] == "/history?product=A%26B&page=2"


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "",
    "/\t/evil.example",
    "/x\r\nSet-Cookie: a=b",
    "/login",
    "/logout?x",
    "\x00",
    "/\u202ex",
)


def test_a_login_leads_nowhere_else(near: Guarded) -> None:
    visitor = near.visitor()
    visitor.login("operator")
    for then in ELSEWHERE:
        fields = {"name": "operator", "password": PASSWORD, "next": then}
        answer = visitor.post("/login", visitor.form_token("/"), fields)
        assert (then, answer.status_code, answer.headers["location"]) == (then, 303, "/")
        assert len(answer.headers.get_list("set-cookie")) == 1


def test_each_role_may_what_it_may(near: Guarded) -> None:
    allowed = {}
    for role in Role:
        visitor = near.visitor()
        visitor.login(role.value)
        assert f"{role.value} <span" in visitor.get("/").text
        allowed[role] = visitor.post("/", visitor.form_token("/")).status_code, visitor.get("/users").status_code
    assert allowed == {Role.VIEWER: (403, 403), Role.OPERATOR: (405, 403), Role.ENGINEER: (405, 200)}


# --- sessions ---


def test_a_session_has_a_cookie_that_no_script_and_no_other_site_gets(near: Guarded) -> None:
    visitor = near.visitor()
    answer = visitor.login("operator")
    (cookie,) = answer.headers.get_list("set-cookie")
    name, _, rest = cookie.partition("=")
    assert name == f"linesentry-session-{near.port}"
    assert rest.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"]


def test_a_login_makes_a_new_session_and_a_logout_ends_it(near: Guarded) -> None:
    visitor = near.visitor()
    planted = "planted-by-somebody-else-planted-by-somebody"
    visitor.client.cookies.set(f"linesentry-session-{near.port}", planted, domain="127.0.0.1")
    first = visitor.login("operator").cookies
    token = visitor.token
    assert first
    assert token not in (None, planted)
    assert visitor.get("/").status_code == 200
    again = near.visitor(cookies={f"linesentry-session-{near.port}": str(token)})
    assert again.get("/").status_code == 200
    assert visitor.logout().headers["location"] == "/login"
    assert again.get("/").status_code == 303
    assert near.whats() == [("operator", "logout", "127.0.0.1"), ("operator", "login", "127.0.0.1")]


def test_who_logs_in_anew_leaves_the_session_before(near: Guarded) -> None:
    visitor = near.visitor()
    visitor.login("viewer")
    old = visitor.token
    # The form of the login is shown to nobody who is in: it was open already.
    visitor.post("/login", visitor.form_token("/"), {"name": "engineer", "password": PASSWORD})
    assert visitor.token != old
    assert near.visitor(cookies={f"linesentry-session-{near.port}": str(old)}).get("/").status_code == 303
    assert visitor.get("/users").status_code == 200


def test_a_stream_that_is_open_ends_with_its_session(near: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.web.access.guard._LOOK_S", 0.0)
    visitor = near.visitor()
    visitor.login("viewer")
    with visitor.client.stream("GET", "/events") as stream:
        parts = stream.iter_text()
        next(parts)
        near.visitor(cookies=visitor.client.cookies).logout()
        assert sum(1 for _ in parts) < 100
    assert visitor.client.get("/events").status_code == 401


def test_a_stream_keeps_a_session_alive(near: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that somebody watches logs nobody out for want of clicks."""
    monkeypatch.setattr("daemon.web.access.guard._LOOK_S", 0.0)
    visitor = near.visitor()
    visitor.login("operator")
    clock = [time.time()]
    near.book._clock = lambda: clock[0]
    with visitor.client.stream("GET", "/events") as stream:
        parts = stream.iter_text()
        for _ in range(3):
            clock[0] += 1000
            for _ in range(2):
                near.site.live.put(line_state())
                next(parts)
        assert visitor.get("/").status_code == 200
        clock[0] += 43_200
        assert sum(1 for _ in parts) < 100


def test_a_stream_of_whoever_sits_there_ends_when_the_first_user_is_made(
    guarded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.web.access.guard._LOOK_S", 0.0)
    screen = guarded()
    with screen.visitor().client.stream("GET", "/events") as stream:
        parts = stream.iter_text()
        next(parts)
        screen.add("anna", Role.OPERATOR)
        assert sum(1 for _ in parts) < 100


# --- passwords ---


def bare(page: str) -> str:
    """A page without what differs from one time to the next."""
    return re.sub(r'[0-9a-f]{64}|value="[^"]*"', "", page)


def test_nobody_is_told_whether_there_is_such_a_user(near: Guarded) -> None:
    answers = [near.visitor().login(name, "wrong password") for name in ("operator", "nobody")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert bare(answers[0].text) == bare(answers[1].text)
    assert answers[0].headers.keys() == answers[1].headers.keys()
    assert near.whats() == [("unknown name", "login failed", "127.0.0.1"), ("operator", "login failed", "127.0.0.1")]


@pytest.mark.parametrize("name", ["operator", "nobody"])
def test_after_some_attempts_the_next_has_to_wait_whatever_its_password(near: Guarded, name: str) -> None:
    visitor = near.visitor()
    for _ in range(BY_NAME.burst):
        assert visitor.login(name, "wrong password").status_code == 403
    answer = visitor.login(name, PASSWORD)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= BY_NAME.every_s
    assert answer.headers["retry-after"] in answer.text
    assert visitor.token is None
    assert near.visitor().login("viewer").status_code == 303
    whats = [what for _, what, _ in near.whats()]
    assert (whats.count("login failed"), whats.count("login refused")) == (BY_NAME.burst, 1)


HOSTILE = (
    ("", ""),
    ("x" * 5000, "y" * 5000),
    ("\x00", "\x00"),
    ("operator\r\nX: y", PASSWORD),
    ("' OR 1=1 --", "x"),
    ("<b>", "<b>"),
    ("operator", "\U0001f511" * 300),
)


def test_no_name_and_no_password_does_any_harm(near: Guarded) -> None:
    visitor = near.visitor()
    for name, password in HOSTILE:
        near.access._attempts = Attempts()
        answer = visitor.login(name, password)
        assert (name, answer.status_code) == (name, 403)
        assert "<b>" not in answer.text
        assert near.whats()[0] == ("operator" if name == "operator" else "unknown name", "login failed", "127.0.0.1")


def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_login(near: Guarded) -> None:
    strong = Passwords(memory_kib=128, passes=2)
    near.access._passwords = strong
    visitor = near.visitor()
    assert visitor.login("operator").status_code == 303
    found = near.book.password("operator")
    assert found is not None
    assert not strong.is_outdated(found[1])
    assert visitor.get("/").status_code == 200
    assert near.visitor().login("operator").status_code == 303


# --- forms ---


def test_a_form_that_is_forged_changes_nothing(near: Guarded) -> None:
    victim, other = near.visitor(), near.visitor()
    victim.login("operator")
    other.login("engineer")
    token = victim.form_token("/")
    evil = [
        victim.post("/logout", ""),
        victim.post("/logout", other.form_token("/")),
        victim.post("/logout", str(victim.token)),
        victim.post("/logout", token, Origin="https://evil.example"),
        victim.post("/logout", token, Origin="null"),
        victim.post("/logout", token, Origin=f"http://127.0.0.1:{near.port + 1}"),
        victim.post("/logout", token, Origin=f"https://127.0.0.1:{near.port}"),
        victim.client.post("/logout", data={"csrf": token}),
        victim.client.post("/logout", data={"csrf": token}, headers={"Sec-Fetch-Site": "same-site"}),
        victim.client.post("/logout", data={"csrf": token}, headers={"Referer": "https://evil.example/"}),
        victim.client.post("/logout", content=f"csrf={token}", headers={"Origin": victim.origin}),
        victim.client.post("/logout", files={"csrf": token}, headers={"Origin": victim.origin}),
        victim.client.post(f"/logout?csrf={token}", headers={"Origin": victim.origin}),
        victim.client.get(f"/logout?csrf={token}"),
    ]
    assert {answer.status_code for answer in evil[:-1]} == {403}
    assert evil[-1].status_code == 405
    assert victim.get("/").status_code == 200
    assert victim.client.post("/logout", headers={"Origin": victim.origin, "X-CSRF-Token": token}).status_code == 303


def test_nobody_is_logged_in_by_a_form_of_somebody_else(near: Guarded) -> None:
    victim, attacker = near.visitor(), near.visitor()
    token = attacker.form_token()
    fields = {"name": "engineer", "password": PASSWORD}
    assert victim.post("/login", token, fields).status_code == 403
    victim.get("/login")
    assert victim.post("/login", token, fields).status_code == 403
    assert victim.token is None


def test_a_form_that_cannot_be_read_is_refused(near: Guarded) -> None:
    headers = {"Origin": near.address, "Content-Type": "application/x-www-form-urlencoded"}
    client = near.visitor().client
    many = b"&".join(b"a=1" for _ in range(100))
    for content in (b"csrf=%ff%fe", many, b"\xff", b"csrf=%00", b"=" * 60_000, b"csrf"):
        assert client.post("/login", content=content, headers=headers).status_code in (400, 403)


# --- sizes and times ---


def test_what_is_too_large_is_refused(near: Guarded) -> None:
    visitor = near.visitor()
    headers = {"Origin": near.address, "Content-Type": "application/x-www-form-urlencoded"}
    assert visitor.client.post("/login", content=b"x" * 70_000, headers=headers).status_code == 413

    def drops() -> Iterator[bytes]:
        for _ in range(70):
            yield b"x" * 1000

    assert visitor.client.post("/login", content=drops(), headers=headers).status_code == 413
    assert visitor.client.get("/", headers={f"X-{index}": "y" for index in range(100)}).status_code == 431
    assert visitor.client.get("/", headers={"Cookie": "a=" + "b" * 13_000}).status_code == 431
    assert visitor.client.get("/", headers={"Cookie": "a=" + "b" * 100_000}).status_code in (400, 431)
    assert visitor.get("/login").status_code == 200


def test_no_cookie_does_any_harm(near: Guarded) -> None:
    client = near.visitor().client
    own = f"linesentry-session-{near.port}"
    many = "; ".join(f"c{number}=1" for number in range(1500))
    for cookie in ("=", ";;;", own, f"{own}=", f"{own}=\xff", f"{own}={'x' * 3000}", 'x="\\073', "\x80\xff", many):
        answer = client.get("/", headers={b"Cookie": cookie.encode("latin-1")})
        assert answer.status_code in (401, 431)


def test_a_body_that_does_not_come_is_not_waited_for(near: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.web.access.guard._BODY_S", 0.05)
    with socket.create_connection(("127.0.0.1", near.port), timeout=30) as connection:
        head = f"POST /login HTTP/1.1\r\nHost: localhost:{near.port}\r\nOrigin: http://localhost:{near.port}\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\ncsrf=".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def is_cut(connection: socket.socket, said: bytes) -> bool:
    """Whether it comes to its end without another word, after that was said."""
    try:
        connection.sendall(said)
        return connection.recv(100) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_request_that_does_not_come_is_not_waited_for(
    near: Guarded, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("daemon.web.access.connections.HEAD_S", 0.05)
    with socket.create_connection(("127.0.0.1", near.port), timeout=30) as connection:
        assert is_cut(connection, said)


def test_a_second_request_that_does_not_come_is_not_waited_for(near: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_connection(("127.0.0.1", near.port), timeout=30) as connection:
        connection.sendall(f"GET /static/icon.svg HTTP/1.1\r\nHost: localhost:{near.port}\r\n\r\n".encode())
        received = b""
        while b"</svg>" not in received:
            received += connection.recv(10_000)
        monkeypatch.setattr("daemon.web.access.connections.HEAD_S", 0.05)
        assert is_cut(connection, b"GET ")


def test_a_page_from_elsewhere_that_takes_our_address_gets_nothing(guarded: Make) -> None:
    visitor = guarded().visitor()
    for host, status in (("evil.example", 421), ("evil.example:8650", 421), ("192.168.1.5", 421), ("a b", 400)):
        answer = visitor.get("/login", headers={"Host": host})
        assert (host, answer.status_code) == (host, status)
        assert "P10B" not in answer.text


# --- beyond this machine ---


def said(address: str = "198.51.100.7", scheme: str = "https") -> dict[str, str]:
    return {**HTML, "X-Forwarded-For": f"127.0.0.1, {address}", "X-Forwarded-Proto": scheme, "Host": "line.example"}


def test_behind_the_named_proxy_a_login_is_needed_and_it_tells_who_asks(guarded: Make) -> None:
    screen = guarded(proxy="127.0.0.1")
    visitor = screen.visitor()
    assert visitor.get("/").status_code == 403
    assert visitor.get("/", headers=said(scheme="http")).status_code == 403
    assert visitor.get("/", headers=said()).headers["location"] == "/login"
    screen.add("anna", Role.OPERATOR)
    page = visitor.get("/login", headers=said())
    assert page.headers["strict-transport-security"].startswith("max-age=")
    (cookie,) = page.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-linesentry-form=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
    token = re.search(r'name="csrf" value="([0-9a-f]*)"', page.text)
    assert token is not None
    answer = visitor.client.post(
        "/login",
        data={"csrf": token[1], "name": "anna", "password": PASSWORD},
        headers={**said(), "Origin": "https://line.example", "Cookie": cookie.partition(";")[0]},
    )
    assert answer.status_code == 303
    session = answer.headers["set-cookie"]
    assert "Secure" in session
    assert screen.whats() == [("anna", "login", "198.51.100.7")]
    known = {**said(), "Cookie": session.partition(";")[0]}
    assert visitor.get("/", headers=known).status_code == 200
    assert visitor.get("/users", headers=known).status_code == 403


def test_a_proxy_that_nobody_named_opens_nothing(guarded: Make) -> None:
    visitor = guarded().visitor()
    answer = visitor.get("/", headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 403
    assert "web.proxy" in answer.text


def test_a_limit_holds_for_each_address_that_the_proxy_names(guarded: Make) -> None:
    screen = guarded(proxy="127.0.0.1")
    screen.add("anna", Role.OPERATOR)
    codes = []
    for index in range(12):
        visitor = screen.visitor()
        page = visitor.get("/login", headers=said())
        token = re.search(r'name="csrf" value="([0-9a-f]*)"', page.text)
        assert token is not None
        headers = {**said(), "Origin": "https://line.example", "Cookie": page.headers["set-cookie"].partition(";")[0]}
        fields = {"csrf": token[1], "name": f"name {index}", "password": PASSWORD}
        codes.append(visitor.client.post("/login", data=fields, headers=headers).status_code)
        if index == 11:
            elsewhere = {**headers, **said("203.0.113.77"), "Origin": "https://line.example"}
            elsewhere["X-Forwarded-For"] = "203.0.113.77"
            codes.append(visitor.client.post("/login", data=fields, headers=elsewhere).status_code)
    assert codes == [403] * 10 + [429] * 2 + [403]


def test_over_tls_a_session_is_secure_and_a_login_is_needed_even_before_there_are_users(
    guarded: Make, tmp_path: Path
) -> None:
    files = pair(tmp_path)
    screen = guarded("0.0.0.0", files=files)
    trust = ssl.create_default_context(cafile=str(files[0]))
    visitor = screen.visitor(verify=trust)
    assert visitor.get("/").headers["location"] == "/login"
    screen.add("anna", Role.VIEWER)
    answer = visitor.login("anna")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"__Host-linesentry-session-{screen.port}=")
    assert cookie.endswith("; Secure; Max-Age=2592000")
    assert answer.headers["strict-transport-security"] == "max-age=2592000"
    assert visitor.get("/").status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{screen.port}/login")


# --- the book ---


def test_a_book_that_cannot_be_read_lets_nobody_in(guarded: Make) -> None:
    screen = guarded()
    screen.book.path.write_bytes(b"damaged" * 1000)
    screen.book.path.chmod(0o600)
    answer = screen.visitor().get("/")
    assert answer.status_code == 503
    assert str(screen.book.path) not in answer.text
    assert screen.visitor().get("/static/style.css").status_code == 200
    screen.book.path.unlink()
    assert screen.visitor().get("/").status_code == 200


def test_an_engineer_reads_who_did_what_and_nothing_in_it_is_taken_for_the_page(near: Guarded) -> None:
    near.book.note(Note("<script>alert(1)</script>", What.MARK, "plate 41 <img src=x>", "192.0.2.1"))
    near.book.note(Note(AT_THE_SCREEN, What.MARK, "plate 42", "127.0.0.1"))
    visitor = near.visitor()
    visitor.login("engineer")
    for language in ("en", "de", "zh"):
        page = visitor.get(f"/users?lang={language}").text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "plate 41 &lt;img src=x&gt;" in page
        assert AT_THE_SCREEN in page
