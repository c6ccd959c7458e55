"""What a client of OPC UA finds, what it may write, and what is said of one that is not as it should be."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from config.schema import Opcua
from daemon.outputs import opcua_server
from daemon.outputs.codes import CAUSES
from daemon.outputs.door import OutputError
from daemon.outputs.opcua import OpcuaLink
from daemon.outputs.opcua_server import ECHO, GATE, RESULT, STATE, StuckError
from stages.events import VerdictDue
from stages.output import Echoed, Say
from stages.plate import Cause, Verdict
from stages.plc import Answers, Trouble
from tests.opcua_plc import SPACE, WATCHED, OpcuaPlc, address, free_port

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "opc-ua.md"
NG = VerdictDue(
    7,
    Verdict.NG,
    (Cause.DEFECT, Cause.FOCUS),
    "because \ud800",
    defects=3,
    part_id="P7",
    batch_id="B1",
    latency_s=0.25,
    simulated=True,
    recipe="P10B",
)
OK = VerdictDue(8, Verdict.OK)
UINT32 = ua.VariantType.UInt32


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[OpcuaLink, int]]:
    port = free_port()
    link = OpcuaLink(Opcua(name="gate", port=port, timeout_s=5))
    with pytest.raises(OutputError, match=f"no client is connected to opc.tcp://127.0.0.1:{port}/linesentry/"):
        link.connect()
    yield link, port
    link.end()


@pytest.fixture
def link(served: tuple[OpcuaLink, int]) -> Iterator[OpcuaLink]:
    one, _ = served
    yield one
    one.close()


@pytest.fixture
def port(served: tuple[OpcuaLink, int]) -> int:
    return served[1]


def until(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


def connected(link: OpcuaLink) -> bool:
    try:
        link.connect()
    except OutputError:
        return False
    return True


def say(link: OpcuaLink, due: VerdictDue, times: int = 1) -> None:
    link.say(Say(due, divert=due.verdict is not Verdict.OK, times=times))


@asynccontextmanager
async def client_of(link: OpcuaLink, port: int) -> AsyncIterator[tuple[Client, Callable[[str], Any]]]:
    """A client that is let in, and its nodes by name."""
    async with Client(address(port), timeout=10) as client:
        space = await client.get_namespace_index(SPACE)
        await asyncio.to_thread(until, lambda: connected(link))
        yield client, lambda name: client.get_node(ua.NodeId(name, space))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_verdict_stands_in_variables_as_the_page_says(link: OpcuaLink, port: int) -> None:
    async def work() -> None:
        async with client_of(link, port) as (_, node):
            link.seen(9)
            link.beat(on=True)
            say(link, NG)
            found = {name: await node(name).read_value() for name in (*RESULT, *GATE)}
            assert found == {
                "ResultId": "7",
                "IsPartial": False,
                "IsSimulated": True,
                "ResultState": 1,
                "PartId": "P7",
                "JobId": "B1",
                "InternalRecipeId": "P10B",
                "Verdict": 2,
                "Divert": True,
                "Cause": CAUSES[Cause.DEFECT],
                "Reason": "because \\ud800",
                "Defects": 3,
                "Latency": 250,
                "Number": 7,
                "Reject": True,
                "ReleasedNumber": 0,
                "Heartbeat": True,
                "PlateSeen": 9,
            }
            say(link, OK)
            link.release(8)
            assert await node("Latency").read_value() == -1
            assert (await node("ReleasedNumber").read_value(), await node("Reject").read_value()) == (8, False)
            link.release(None)
            assert (await node("ReleasedNumber").read_value(), await node("Reject").read_value()) == (0, True)
            say(link, VerdictDue(9, Verdict.INCONCLUSIVE, (Cause.SHUTDOWN,)))
            assert await node("ResultState").read_value() == 4
            path = await node("Number").get_path(as_string=True)
            assert [one.partition(":")[2] for one in path[2:]] == [
                "VisionSystem", "ResultManagement", "Results", "Result", "Number",
            ]  # fmt: skip

    run(work())


@pytest.mark.parametrize(
    ("answers", "state", "mode", "troubles"),
    [
        (Answers(1), "Operational", "ContinuousExecution", ""),
        (Answers(1, (Trouble.ATTENTION,)), "Operational", "ContinuousExecution", "attention"),
        (Answers(1, (Trouble.STARTING,)), "Preoperational", "", "starting"),
        (Answers(1, (Trouble.PROCESS_DOWN, Trouble.CAMERA)), "Error", "", "process down, camera"),
        (Answers(1, (Trouble.STOPPING, Trouble.CAMERA)), "Halted", "", "stopping, camera"),
        (Answers(), "Error", "", ""),
    ],
)
def test_how_the_service_stands_is_a_state_of_a_vision_system(
    link: OpcuaLink, port: int, answers: Answers, state: str, mode: str, troubles: str
) -> None:
    async def work() -> None:
        async with client_of(link, port) as (client, node):
            link.stands(answers)
            link.beat(on=True)
            found = await client.read_values([node(name) for name in STATE])
            assert found == [state, mode, bool(mode), troubles]

    run(work())


def test_nobody_reads_half_a_verdict(link: OpcuaLink, port: int) -> None:
    def say_many() -> None:
        for plate in range(100, 300):
            say(link, VerdictDue(plate, Verdict.OK))

    async def work() -> None:
        async with client_of(link, port) as (client, node):
            saying = asyncio.create_task(asyncio.to_thread(say_many))
            seen = set()
            while not saying.done():
                number, name = await client.read_values([node("Number"), node("ResultId")])
                assert number is None or str(number) == name
                seen.add(number)
            assert len(seen) > 10

    run(work())


def test_each_variable_is_on_the_page_and_none_besides() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    kinds = RESULT | {name: kind for name, (kind, _) in (GATE | STATE).items()}
    assert dict(rows) == {name: kind.name for name, kind in kinds.items()} | {ECHO: "UInt32"}


def test_the_client_on_the_page_echoes_and_hears_what_is_released(
    link: OpcuaLink, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    page: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), page)

    async def work() -> None:
        client = asyncio.create_task(page["main"](address(port)))
        await asyncio.to_thread(until, lambda: connected(link))
        say(link, OK)
        await asyncio.to_thread(until, lambda: link.answer() == Echoed(8, "echo 8"))
        link.release(8)
        await asyncio.to_thread(until, lambda: capsys.readouterr().out == "plate 8 may pass\n")
        client.cancel()

    run(work())


def test_a_number_that_was_written_before_the_word_or_is_another_acknowledges_nothing(
    link: OpcuaLink, port: int
) -> None:
    async def work() -> None:
        async with client_of(link, port) as (_, node):
            await node(ECHO).write_value(ua.Variant(7, UINT32))
            say(link, NG)
            assert link.answer() is None
            await node(ECHO).write_value(ua.Variant(6, UINT32))
            assert link.answer() == Echoed(6, "echo 6")
            assert link.answer() is None
            for number in (7, 6):
                await node(ECHO).write_value(ua.Variant(number, UINT32))
            assert link.answer() == Echoed(7, "echo 7")
            link.clear()
            assert await node("Number").read_value() == 0
            await node(ECHO).write_value(ua.Variant(0, UINT32))
            assert link.answer() == Echoed(0, "echo 0")

    run(work())


def test_what_is_said_again_is_seen_again(link: OpcuaLink, port: int) -> None:
    plc = OpcuaPlc(port, echo=lambda _: None)
    until(lambda: connected(link))
    say(link, NG)
    until(lambda: plc.new)
    plc.echo = lambda number: number
    assert link.answer() is None
    say(link, NG, times=2)
    until(lambda: link.answer() == Echoed(7, "echo 7"))
    assert [one.number for one in plc.new] == [7]
    plc.stop()


def test_nobody_can_change_more_than_the_echo_and_that_to_nothing_but_a_number(link: OpcuaLink, port: int) -> None:
    released = ua.Variant(8, UINT32)

    async def work() -> None:
        with pytest.raises(ua.UaError):
            async with Client(f"opc.tcp://admin@127.0.0.1:{port}/"):
                pass
        async with client_of(link, port) as (client, node):
            say(link, OK)
            bad = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadInternalError))
            attempts: list[Callable[[], Any]] = [
                lambda: node("ReleasedNumber").write_value(released),
                lambda: node("Reject").write_value(ua.Variant(False, ua.VariantType.Boolean)),
                lambda: node("Number").set_writable(),
                lambda: node(ECHO).write_value(ua.Variant([8, 8], UINT32)),
                lambda: node(ECHO).write_value("8"),
                lambda: node(ECHO).write_value(ua.Variant(8, ua.VariantType.Int64)),
                lambda: node(ECHO).write_attribute(ua.AttributeIds.Value, bad),
                lambda: node(ECHO).write_attribute(ua.AttributeIds.Value, ua.DataValue()),
                lambda: client.delete_nodes([node("Reject")]),
                lambda: client.nodes.objects.add_variable(2, "mine", 1),
                lambda: client.register_namespace("urn:mine"),
            ]
            for attempt in attempts:
                with pytest.raises(ua.UaError):
                    await attempt()
            assert link.answer() is None
            assert await node("Reject").read_value() is True
            assert await node("ReleasedNumber").read_value() == 0
            await node(ECHO).write_value(ua.Variant(8, UINT32))
            assert link.answer() == Echoed(8, "echo 8")

    run(work())


def test_a_stranger_who_speaks_nonsense_or_announces_too_much_is_cut_off(link: OpcuaLink, port: int) -> None:
    plc = OpcuaPlc(port)
    until(lambda: connected(link))

    def flood(said: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as stranger:
            stranger.sendall(said)
            for _ in range(1_000):
                stranger.sendall(b"x" * 65_536)

    for said in (b"GET / HTTP/1.1\r\n\r\n", b"MSGF" + (2_000_000_000).to_bytes(4, "little") + b"\0" * 4):
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            flood(said)
    say(link, OK)
    until(lambda: link.answer() == Echoed(8, "echo 8"))
    plc.stop()


def test_a_server_that_hangs_rejects_as_soon_as_it_goes_on_and_one_that_stays_so_ends_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = OpcuaLink(Opcua(name="gate", port=free_port(), timeout_s=0.05))
    server = link._server
    assert server._server is not None
    space, nodes = server._server.iserver.aspace, server._nodes

    def stands(name: str) -> Any:
        return space.read_attribute_value(nodes[name], ua.AttributeIds.Value).Value.Value

    link.release(8)
    goes_on = threading.Event()
    server._loop.call_soon_threadsafe(goes_on.wait)
    with pytest.raises(OutputError, match="hangs at a write of ReleasedNumber, Reject"):
        link.release(9)
    with pytest.raises(OutputError, match="hangs at a write of PlateSeen"):
        link.seen(9)
    link.close()
    assert stands("ReleasedNumber") == 8
    monkeypatch.setattr(opcua_server, "_STUCK_S", 0.2)
    time.sleep(0.2)
    with pytest.raises(StuckError, match="does nothing any more, last a write of Heartbeat"):
        link.beat(on=True)
    goes_on.set()
    until(lambda: stands("ReleasedNumber") == 0)
    assert stands("PlateSeen") == 0, "what was given up is not said later"
    with pytest.raises(OutputError, match="no client is connected"):
        link.beat(on=False)
    link.end()


def test_several_clients_see_the_same_and_each_may_echo(link: OpcuaLink, port: int) -> None:
    watcher, plc = OpcuaPlc(port, echo=lambda _: None), OpcuaPlc(port)
    until(lambda: connected(link) and len(watcher.values) == len(plc.values) == len(WATCHED))
    link.beat(on=True)
    say(link, OK)
    until(lambda: link.answer() == Echoed(8, "echo 8"))
    link.release(8)
    until(lambda: watcher.passes(8) and plc.passes(8))
    watcher.stop()
    link.beat(on=False)
    link.release(None)
    until(lambda: not plc.passes(8))
    plc.stop()


def test_the_last_client_that_goes_is_noticed_nothing_is_released_and_another_is_let_in(
    link: OpcuaLink, port: int
) -> None:
    plc = OpcuaPlc(port)
    until(lambda: connected(link))
    say(link, OK)
    until(lambda: link.answer() == Echoed(8, "echo 8"))
    link.release(8)
    plc.stop()

    def beat_for_ever() -> None:
        while True:
            link.beat(on=True)

    with pytest.raises(OutputError, match="no client is connected"):
        beat_for_ever()
    link.close()

    async def work() -> None:
        async with client_of(link, port) as (_, node):
            assert (await node("ReleasedNumber").read_value(), await node("Reject").read_value()) == (0, True)

    run(work())


def test_each_verdict_is_an_event_with_all_that_is_said(link: OpcuaLink, port: int) -> None:
    got: list[Any] = []

    class Handler:
        def event_notification(self, event: Any) -> None:
            got.append(event)

    async def work() -> None:
        async with client_of(link, port) as (client, _):
            kind = await client.nodes.base_event_type.get_child("2:ResultReadyEventType")
            subscription = await client.create_subscription(0, Handler())
            await subscription.subscribe_events(client.nodes.server, kind)
            say(link, NG)
            await asyncio.to_thread(until, lambda: got)

    run(work())
    (event,) = got
    assert (event.Number, event.Verdict, event.Divert, event.PartId, event.Defects) == (7, 2, True, "P7", 3)
    assert event.Message.Text == "NG: because \\ud800"


def test_a_certificate_and_a_user_keep_others_out_and_at_its_end_no_value_is_good(tmp_path: Path) -> None:
    ours, theirs, secret = pair(tmp_path, "server"), pair(tmp_path, "client"), tmp_path / "password"
    secret.write_text("sesame\n", "utf-8")
    port = free_port()
    settings = Opcua(
        name="gate",
        port=port,
        certificate_file=ours[0],
        key_file=tmp_path / "gone",
        username="plc",
        password_file=secret,
        timeout_s=5,
    )
    link = OpcuaLink(settings)
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(OutputError, match=r"nobody can be let in at .*Address already in use"),
    ):
        link.connect()
    with pytest.raises(OutputError, match="fails at the certificate and its key"):
        link.connect()
    link._server._settings = settings.model_copy(update={"key_file": ours[1]})

    async def let_in(password: str | None, encrypted: bool) -> str:
        client = Client(address(port), timeout=10)
        client.application_uri = "urn:client"
        if password is not None:
            client.set_user("plc")
            client.set_password(password)
        if encrypted:
            await client.set_security(SecurityPolicyBasic256Sha256, *theirs, server_certificate=ours[0])
        try:
            async with client:
                space = await client.get_namespace_index(SPACE)
                state = client.get_node(ua.NodeId("CurrentState", space))
                first = await state.read_value()
                if password != "sesame":
                    return str(first)
                connected(link)
                await asyncio.to_thread(link._server.reject)
                seen: list[Any] = []

                class Handler:
                    def datachange_notification(self, _: Any, value: Any, data: Any) -> None:
                        seen.append((value, data.monitored_item.Value.StatusCode.name))

                subscription = await client.create_subscription(100, Handler())
                await subscription.subscribe_data_change(client.get_node(ua.NodeId("Reject", space)))
                await asyncio.to_thread(until, lambda: seen)
                await asyncio.to_thread(link.end)
                await asyncio.to_thread(until, lambda: (None, "BadShutdown") in seen)
                return str(first)
        except (ua.UaError, OSError, TimeoutError) as error:
            return f"refused: {type(error).__name__}"

    assert not connected(link)
    assert asyncio.run(let_in(None, encrypted=False)).startswith("refused")
    assert asyncio.run(let_in(None, encrypted=True)).startswith("refused")
    assert asyncio.run(let_in("wrong", encrypted=True)).startswith("refused")
    assert not connected(link)
    assert asyncio.run(let_in("sesame", encrypted=True)) == "Preoperational"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"certificate_file": "a.pem"}, "certificate_file and key_file belong together"),
        ({"username": "plc"}, "username and password_file belong together"),
        ({"username": "plc", "password_file": "a"}, "username needs certificate_file: the password would be sent"),
        ({"host": "a b"}, "host"),
    ],
)
def test_half_of_a_security_is_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Opcua.model_validate({"name": "gate", **given})


def pair(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate of that name and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.UniformResourceIdentifier(f"urn:{name}"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / f"{name}.pem", directory / f"{name}.key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
