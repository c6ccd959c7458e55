from __future__ import annotations

from pathlib import Path

from config.check import check


def test_a_configuration_that_the_service_cannot_use_is_told_what_to_do(tmp_path: Path) -> None:
    """The unit that ships gives the service no /tmp, no /home, and nothing to write to but its own directories."""
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "own.yaml").write_text("name: own\nlength: {nominal_rows: 99}\ncolumns: {last: 99}\n", encoding="utf-8")
    path = tmp_path / "line.yaml"
    path.write_text(
        f"recipe: own.yaml\nstate_directory: /srv/plates\ncamera: {{source: folder, folder: {images}}}\n",
        encoding="utf-8",
    )
    assert check(path).faults == []
    report = check(path, service=True)
    recipe, folder, state = report.faults
    assert f"recipe: the service cannot see {tmp_path / 'own.yaml'} (PrivateTmp=yes in its unit)" in recipe
    assert f"camera.folder: the service cannot see {images}" in folder
    assert f"below [Service], BindReadOnlyPaths={images}" in folder
    assert "state_directory: the service cannot write to /srv/plates (ProtectSystem=strict in its unit)" in state
    assert "the service writes to /var/lib/linesentry" in state
    assert "linesentry.service" in report.facts[-1]


def test_an_output_that_the_units_service_cannot_reach_or_read_the_key_of_is_named(tmp_path: Path) -> None:
    key = tmp_path / "mes.key"
    key.write_bytes(bytes(range(65, 90)))
    path = tmp_path / "line.yaml"
    path.write_text(
        "simulator: {}\noutputs:\n  modbus: [{name: gate, host: 192.168.0.10}, {name: near, host: 127.0.0.1}]\n"
        "  webhook: [{name: mes, url: 'https://192.168.0.20:8443/v', secret_file: mes.key}]\n",
        encoding="utf-8",
    )
    assert check(path).faults == []
    secret, gate, webhook = check(path, service=True).faults
    assert f"outputs.webhook[0].secret_file: the service cannot see {key}" in secret
    assert "outputs.modbus[0].host: the service cannot reach 192.168.0.10 (IPAddressDeny=any in its unit)" in gate
    assert "below [Service], IPAddressAllow=192.168.0.10" in gate
    assert "outputs.webhook[0].url: the service cannot reach 192.168.0.20" in webhook
    path.write_text("simulator: {}\nstore: {url: 'postgresql://line@192.168.0.40/db'}\n", encoding="utf-8")
    (server,) = check(path, service=True).faults
    assert "store.url: the service cannot reach 192.168.0.40" in server


def test_a_switch_that_the_units_service_cannot_reach_or_read_the_token_of_is_named(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret of the line", encoding="utf-8")
    path = tmp_path / "line.yaml"
    start = "simulator: {}\ncamera:\n  line_rate_hz: 9\n  switch: "
    path.write_text(f"{start}{{source: modbus, modbus: {{host: 192.168.0.30}}}}\n", encoding="utf-8")
    (plc,) = check(path, service=True).faults
    assert "camera.switch.modbus.host: the service cannot reach 192.168.0.30" in plc
    opcua = "opcua: {url: 'opc.tcp://192.168.0.31:4840', node: i=1}"
    path.write_text(f"{start}{{source: opcua, {opcua}}}\n", encoding="utf-8")
    (plc,) = check(path, service=True).faults
    assert "camera.switch.opcua.url: the service cannot reach 192.168.0.31" in plc
    path.write_text("camera: {source: aravis, device: 192.168.0.32}\n", encoding="utf-8")
    assert any(
        "camera.device: the service cannot reach 192.168.0.32" in one for one in check(path, service=True).faults
    )
    path.write_text(f"{start}{{source: http, http: {{token_file: token}}}}\n", encoding="utf-8")
    (secret,) = check(path, service=True).faults
    assert f"camera.switch.http.token_file: the service cannot see {token}" in secret
