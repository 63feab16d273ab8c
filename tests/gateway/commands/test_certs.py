"""`ampacity certs` writes a PKI that a utility server can run on, and overwrites nothing by itself."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from gateway.__main__ import main
from ieee2030_5.identity import sfdi_of
from ieee2030_5.tls import lfdi_of_file, server_context


def made(directory: Path, *more: str) -> int:
    return main(["certs", "--device", "A", "--device", "B", "--out", str(directory), *more])


def test_writes_a_root_a_server_and_the_devices(tmp_path, capsys):
    assert made(tmp_path) == 0
    table = capsys.readouterr().out
    for name in ("root", "server", "A", "B"):
        key = tmp_path / f"{name}.key.pem"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        lfdi = lfdi_of_file(tmp_path / f"{name}.pem")
        assert lfdi in table
        assert str(sfdi_of(lfdi)) in table
    server_context(tmp_path / "server.pem", tmp_path / "server.key.pem", tmp_path / "root.pem")


def test_overwrites_only_by_force(tmp_path, capsys):
    assert made(tmp_path) == 0
    before = (tmp_path / "A.pem").read_bytes()
    assert made(tmp_path) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "A.pem").read_bytes() == before
    assert made(tmp_path, "--force") == 0
    assert (tmp_path / "A.pem").read_bytes() != before


@pytest.mark.parametrize("arguments", [[], ["--device", "root"], ["--device", "../A"]])
def test_wants_names_of_devices(tmp_path, arguments):
    assert main(["certs", "--out", str(tmp_path), *arguments]) == 2
    assert not list(tmp_path.iterdir())


def test_certificates_follow_the_profiles(tmp_path):
    made(tmp_path)
    device, server = (
        x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes()) for name in ("A", "server")
    )
    assert not list(device.subject)
    assert device.not_valid_after_utc.year == 9999
    name = device.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert name.critical
    assert name.value[0].type_id.dotted_string == "1.3.6.1.5.5.7.8.4"
    usage = device.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.key_agreement
    critical = {item.oid for item in server.extensions if item.critical}
    assert critical == {
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
