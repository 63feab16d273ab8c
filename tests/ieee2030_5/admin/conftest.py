"""The admin API over a loopback socket, before a tree in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.endpoints import ADMIN
from ieee2030_5.admin.server import Service
from ieee2030_5.enrolment import build
from ieee2030_5.records import Record
from ieee2030_5.settings import AdminSettings
from ieee2030_5.tree import Tree
from tests.ieee2030_5.conftest import NOW, Laboratory
from tests.ieee2030_5.test_tree import Client

T0 = int(NOW)
TOKEN = "a token of sixteen or more characters"


@dataclass
class Office:
    """The operator at the API and the clients at the tree, in one time."""

    tree: Tree
    records: list[Record]
    http: TestClient = field(init=False)
    now: int = T0
    acts: list[str] = field(default_factory=list)

    def desk(self) -> Desk:
        self.tree.utility.advance(self.now)
        return Desk(self.tree, frozenset({"A", "B", "C"}), self.now)

    def client(self, lfdi: str) -> Client:
        return Client(self.tree, lfdi, self.now)

    async def ask(self, method: str, path: str, body: object = None, token: str = TOKEN) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.request(method, path, json=body, headers=headers) as response:
            data = await response.read()
            return response.status, await response.json() if data else None

    async def do(self, what: str, body: object = None, status: int = 200) -> Any:
        """Ask for `METHOD /path`; anything but the expected status fails."""
        method, path = what.split()
        got, answer = await self.ask(method, f"/v1{path}", body)
        assert got == status, (what, got, answer)
        return answer


@pytest.fixture
async def office(laboratory: Laboratory) -> AsyncIterator[Office]:
    records: list[Record] = []
    office = Office(Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), records.append), records)
    service = Service(ADMIN, office.desk, AdminSettings(TOKEN), office.acts.append)
    async with TestClient(TestServer(service.application())) as http:
        office.http = http
        yield office
