"""The admin API beside a server that runs: what is arranged there, a client finds over mutual TLS."""

from pathlib import Path

import aiohttp
import pytest

from ieee2030_5 import resources as r
from ieee2030_5.codec import parse, render
from ieee2030_5.settings import AdminSettings
from ieee2030_5.tree import MEDIA_TYPE
from protocols.signals import LinkChanged, Measurement
from tests.ieee2030_5.admin.conftest import TOKEN
from tests.ieee2030_5.conftest import Laboratory
from tests.ieee2030_5.test_server import running
from tests.ieee2030_5.test_tree import meter, power

pytestmark = pytest.mark.sockets


async def test_a_stranger_that_is_registered_while_the_server_runs_is_served(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    announce = tmp_path / "admin.url"
    lfdi = laboratory.lfdi("stranger")
    async with running(laboratory, admin=AdminSettings(TOKEN, announce=announce)) as site:
        url = announce.read_text().strip()
        assert url == f"http://127.0.0.1:{site.server.admin_port}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(url, headers=headers) as operator, site.client("stranger") as client:
            async with client.get("/edev") as answer:
                assert parse(await answer.read(), (r.EndDeviceList,)).all == 0
            async with operator.put("/v1/devices/N", json={"lfdi": lfdi, "max_w": 10_000}) as answer:
                assert answer.status == 200
            async with client.get("/edev") as answer:
                assert parse(await answer.read(), (r.EndDeviceList,)).all == 1
            point = meter(lfdi, readings=(power(1),))
            async with client.post("/mup", data=render(point), headers={"Content-Type": MEDIA_TYPE}) as answer:
                assert answer.status == 201
            async with operator.get("/v1/meters") as answer:
                assert [item["owner"] for item in (await answer.json())["meters"]] == ["N"]
        assert site.said(Measurement) == site.said(LinkChanged) == [], "the gateway knows nothing of it"
    assert not announce.exists()


async def test_without_settings_there_is_no_admin_api(laboratory: Laboratory) -> None:
    async with running(laboratory) as site:
        assert site.server.admin_port == 0
