"""Devices that another testbed plays, as a party that runs alone reaches them: over that testbed's control."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import aiohttp

from gateway.testbed.post import Say
from gateway.testbed.requests import iso

STEP_S: Final = 0.5
"""How often the devices are looked at."""
ATTEMPT_S: Final = 5.0
WAITING_MAX: Final = 100
"""Requests for one world that wait while it cannot be reached; the oldest go first."""


class RemoteDevice:
    """One device as its owner knows it: as it was last seen, and what it was told since."""

    def __init__(self, resource: str, requests: "deque[tuple[str, dict[str, object]]]") -> None:
        self._resource, self._requests = resource, requests
        self.power_w = 0.0
        """Where it stands."""
        self.available_w = 0.0
        """What it could inject now."""
        self.target_w: float | None = None
        """The set point now."""
        self.usable_wh: float | None = None
        """What it can still inject out of its store; `None` where energy does not limit it."""

    def set_target(self, power_w: float | None, now_s: float, by_s: float | None = None) -> None:  # noqa: ARG002 - as asked
        """Ramp in a straight line to `power_w` until `by_s`."""
        self.target_w = power_w
        by = None if by_s is None else iso(by_s)
        self._requests.append(("target", {"resource": self._resource, "power_mw": _mw(power_w), "by": by}))

    def set_available(self, available_w: float, now_s: float) -> None:  # noqa: ARG002 - as asked
        """Change what it could inject."""
        self.available_w = available_w
        self._requests.append(("available", {"resource": self._resource, "power_mw": _mw(available_w)}))

    def see(self, told: Mapping[str, Any]) -> None:
        """Take the truth about it."""
        self.power_w, self.available_w = 1e6 * told["power_mw"], 1e6 * told["available_mw"]
        self.target_w = None if told["target_mw"] is None else 1e6 * told["target_mw"]
        usable_mwh = told.get("usable_mwh")
        self.usable_wh = None if usable_mwh is None else 1e6 * usable_mwh


class RemoteWorld:
    """The devices of a testbed that runs as another process."""

    def __init__(self, url: str, resources: Iterable[str], say: Say) -> None:
        """`url` is the base of that testbed's control."""
        self._url, self._say = url.rstrip("/"), say
        self._requests: deque[tuple[str, dict[str, object]]] = deque(maxlen=WAITING_MAX)
        self.devices = {name: RemoteDevice(name, self._requests) for name in resources}

    async def run(self) -> None:
        """Carry requests there and look at the devices until cancelled."""
        reached: bool | None = None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ATTEMPT_S)) as session:
            while True:
                problem = await self._meet(session)
                if reached is not (not problem):
                    reached = not problem
                    self._say(f"devices at {self._url}: {problem or ', '.join(self.devices) or 'none'}")
                await asyncio.sleep(STEP_S)

    async def _meet(self, session: aiohttp.ClientSession) -> str:
        """Everything that waits, then a look; tells what is in the way, nothing where it went well."""
        try:
            while self._requests:
                path, body = self._requests[0]
                async with session.post(f"{self._url}/{path}", json=body) as response:
                    if response.status >= 300:
                        self._say(f"{path} refused: {await response.text()}")
                self._requests.popleft()
            async with session.get(f"{self._url}/truth", params={"of": ""}) as response:
                told = (await response.json())["devices"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"not reached, {type(error).__name__}: {error}"
        if not self._requests:  # else what was seen is older than what it was told
            for name in self.devices.keys() & told.keys():
                self.devices[name].see(told[name])
        return ""


def _mw(power_w: float | None) -> float | None:
    return None if power_w is None else power_w / 1e6
