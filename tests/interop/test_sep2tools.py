"""sep2tools, written for CSIP-AUS, as an oracle: how mRIDs and the LFDIs of devices behind a cloud end."""

import json
import subprocess
from pathlib import Path

import pytest

from gateway.clock import wall
from ieee2030_5.codec import parse
from ieee2030_5.enrolment import build
from ieee2030_5.identity import PenEncoding, mrid_of, sfdi_of
from ieee2030_5.pki import make_pki
from ieee2030_5.resources import EndDeviceList
from ieee2030_5.settings import DeviceSettings, Profile, ServerSettings
from ieee2030_5.tree import MEDIA_TYPE, Asked, Tree
from tests.interop.environments import need

pytestmark = pytest.mark.interop

PEER = Path(__file__).parent / "sep2tools" / "peer.py"
NMIS = ("41020000002", "41020000026", "NEM1205082")


def oracle(pen: int) -> dict[str, object]:
    command = [str(need("sep2tools") / "python"), str(PEER), str(pen), *NMIS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("pen", [0, 7, 28_547, 99_999_999])
def test_an_mrid_has_the_form_that_csip_aus_gives_it(pen: int):
    theirs, ours = str(oracle(pen)["mrid"]), mrid_of(pen, PenEncoding.DECIMAL, "derc", "A")
    assert (len(ours), ours[24:], ours) == (len(theirs), theirs[24:], ours.upper())


def test_devices_known_by_the_lfdis_of_their_cloud_are_listed_with_them(tmp_path: Path):
    issued = {item.name: item for item in make_pki(tmp_path, ["cloud"], ["localhost"], wall())}
    cloud, own, now = issued["cloud"], issued["server"], int(wall())
    lfdis = [str(lfdi) for lfdi in oracle(28_547)["lfdis"]]  # type: ignore[attr-defined]
    devices = tuple(DeviceSettings(f"D{n}", lfdi, 5_000, profile=Profile.CSIP_AUS) for n, lfdi in enumerate(lfdis))
    members = frozenset(device.resource for device in devices)
    agent = DeviceSettings("CLOUD", cloud.lfdi, 1, profile=Profile.CSIP_AUS, members=members)
    settings = ServerSettings(own.certificate, own.key, issued["root"].certificate, (*devices, agent))
    tree = Tree(build(settings, own.lfdi, now), lambda _: None)
    listed = parse(tree.answer(cloud.lfdi, Asked("GET", "/edev?l=255", MEDIA_TYPE), now).body, (EndDeviceList,))
    assert isinstance(listed, EndDeviceList)
    assert {(item.lFDI, item.sFDI) for item in listed.items} == {(lfdi, sfdi_of(lfdi)) for lfdi in [*lfdis, cloud.lfdi]}
