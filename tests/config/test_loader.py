"""Every example file loads; a bad one is refused with all its faults, each with line and remedy."""

from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from config.faults import ConfigError
from config.loader import load

BASE = Path(__file__).parent / "zone.yaml"
ZONES = Path(str(files("config.zones")))
EXAMPLES = sorted(ZONES.glob("*.yaml"))


def faults_of(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [(fault.place.line, fault.problem, fault.remedy) for fault in caught.value.faults]


@pytest.fixture
def on_base(tmp_path):
    """Writes a zone file on top of the small zone and gives its path."""

    def write(text: str) -> Path:
        path = tmp_path / "zone.yaml"
        path.write_text(f"extends: {BASE}\n{text}")
        return path

    return write


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_file_loads(path):
    assert load(path).devices


def test_r1_is_as_described():
    zone = load(ZONES / "r1.yaml")
    assert zone.zone.id == "R1"
    assert zone.devices["A"].connection.date == date(2021, 1, 1)
    assert zone.devices["A"].static_p_max_mw == 0.50
    assert zone.devices["B"].static_p_max_mw == 1.50
    assert zone.assets["L12"].ampacity_a == 154.2
    assert zone.limits.margin_pct == 0
    assert Path(zone.network.source) == ZONES / "networks" / "r1.json"


def test_all_faults_come_at_once_with_line_and_remedy(on_base):
    path = on_base(
        """\
clocks: {tick: 3}
devices:
  A:
    connection: {bus: B33}
    owner: AGENT_C
  B:
    simulated: yess
    endpoint: {hots: x, port: 70000}
assets:
  L99: {ampacity_a: 1}
"""
    )
    assert faults_of(path) == [
        (2, "`clocks` has an unknown key `tick`", "did you mean `tick_s`?"),
        (5, "device A is connected to bus `B33`, which the network does not have", "did you mean `B3`?"),
        (6, "A is owned by `AGENT_C`, who is not a party", "did you mean `AGENT_B`?"),
        (8, "`devices.B.simulated` is 'yess' but should be a valid boolean", "write true or false"),
        (9, "`devices.B.endpoint.port` is 70000 but should be less than or equal to 65535", "write 65535 or less"),
        (9, "`devices.B.endpoint` has an unknown key `hots`", "did you mean `host`?"),
        (
            11,
            "the network has no asset `L99`",
            "use a line, transformer or bus: B0, B1, B2, B3, B4, B5, B6, B7, L11, L12, L13, L21 and 5 more",
        ),
    ]


def test_a_fault_reads_as_compilers_write_it(on_base):
    path = on_base("limits: {policy: fair}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}:2: `limits.policy` is 'fair' but should be 'incremental', 'pro_rata', 'max_min', 'lifo', "
        "'merit' or 'rotational'; "
        "use one of: incremental, pro_rata, max_min, lifo, merit, rotational"
    )


def test_a_fault_in_the_extended_file_names_that_file(tmp_path):
    (tmp_path / "base.yaml").write_text(f"extends: {ZONES / 'r1.yaml'}\n\nclocks: {{tick_s: -1}}\n")
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nzone: {name: top}\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "top.yaml")
    assert str(caught.value.faults[0].place) == f"{tmp_path / 'base.yaml'}:3"


def test_missing_sections_are_named(tmp_path):
    path = tmp_path / "zone.yaml"
    path.write_text("zone: {id: X}\n")
    assert [(problem, remedy) for _, problem, remedy in faults_of(path)] == [
        ("the file has no `devices`", "add `devices:`"),
        ("the file has no `network`", "add `network:`"),
    ]


def test_a_missing_network_file_is_a_fault_at_its_line(on_base, tmp_path):
    path = on_base("network:\n  source: nowhere.json\n")
    source = tmp_path / "nowhere.json"
    assert faults_of(path) == [
        (
            3,
            f"{source} cannot be read (No such file or directory)",
            "correct the path, relative to the file that names it",
        )
    ]


def test_a_file_that_is_no_network_is_a_fault(on_base, tmp_path):
    (tmp_path / "other.json").write_text("[1, 2]")
    assert (
        "is no network in Ampacity's or in pandapower's JSON format"
        in faults_of(on_base("network: {source: other.json}\n"))[0][1]
    )


def test_numbers_are_numbers_and_not_texts_or_truth_values(on_base):
    path = on_base('devices: {A: {nameplate: {p_max_mw: "2.5", p_min_mw: true}}}\n')
    assert [problem for _, problem, _ in faults_of(path)] == [
        "`devices.A.nameplate.p_max_mw` is '2.5' but should be a valid number",
        "`devices.A.nameplate.p_min_mw` is true but should be a valid number",
    ]


def test_an_unknown_protocol_is_answered_with_the_known_ones(on_base):
    path = on_base("devices: {A: {endpoint: {protocol: modbuss}}}\n")
    assert faults_of(path) == [(2, "`devices.A.endpoint` has the unknown protocol `modbuss`", "did you mean `modbus`?")]


def test_an_id_with_odd_characters_is_a_fault(on_base):
    path = on_base("testbed: {initial_mw: {'A b': 1}}\n")
    assert faults_of(path) == [
        (
            2,
            "`testbed.initial_mw.A b` is not an id",
            "begin with a letter or digit and use only letters, digits and _ . : -",
        )
    ]


def test_faulty_types_do_not_hide_faults_of_form(on_base):
    path = on_base("zone:\n  id: NO\nclocks: {tick_s: x}\n")
    assert [line for line, _, _ in faults_of(path)] == [3, 4]


def test_a_pin_is_never_repeated(on_base):
    endpoint = "protocol: ieee2030_5, lfdi: 3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"
    for written in ("00123456", "987654321", "yes"):
        path = on_base(f"devices: {{A: {{endpoint: {{{endpoint}, pin: {written}}}}}}}\n")
        faults = faults_of(path)
        assert any("pin" in problem for _, problem, _ in faults)
        assert all(written not in problem and written not in remedy for _, problem, remedy in faults)


def test_the_file_names_are_made_absolute_from_the_file_that_names_them(tmp_path):
    (tmp_path / "zone.yaml").write_text(f"extends: {ZONES / 'r1.yaml'}\nzone: {{name: elsewhere}}\n")
    assert Path(load(tmp_path / "zone.yaml").network.source) == ZONES / "networks" / "r1.json"


def test_the_files_of_endpoints_are_made_absolute_too(on_base, tmp_path):
    path = on_base(
        "devices:\n"
        "  A: {endpoint: {protocol: mqtt, host: 127.0.0.1, topic: a, tls: true, ca_file: ca.pem}}\n"
        "  B: {endpoint: {protocol: opcua, url: 'opc.tcp://127.0.0.1:4840', security: 'Basic256Sha256,Sign,c,k', "
        "trust: pki, user_certificate_file: u, user_key_file: k}}\n"
    )
    devices = load(path).devices
    assert devices["A"].endpoint.ca_file == str(tmp_path / "ca.pem")
    assert devices["A"].endpoint.key_file == ""
    assert devices["B"].endpoint.security == f"Basic256Sha256,Sign,{tmp_path / 'c'},{tmp_path / 'k'}"
    assert devices["B"].endpoint.trust == str(tmp_path / "pki")
    assert devices["B"].endpoint.user_certificate_file == str(tmp_path / "u")
