"""The command as people start it: a process that says where it listens, answers, and ends quietly."""

import asyncio
import signal
import sys

import pytest

from protocols.dnp3.link import Frame, FrameReader, PrimaryFunction, SecondaryFunction, encode_frame

pytestmark = pytest.mark.sockets

QUESTION = Frame(
    is_from_master=True, is_primary=True, function=PrimaryFunction.REQUEST_LINK_STATUS, destination=10, source=1
)


async def start(*arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dnp3_sim", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_it_serves_until_interrupted(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("analog_inputs: [{index: 0, value: 1.5}]")
    async with asyncio.timeout(30):
        process = await start(path, "--port", 0)
        try:
            line = (await process.stdout.readline()).decode()
            assert line.startswith("outstation 10 for master 1 on 127.0.0.1:")
            assert line.endswith(", 1 points\n")
            port = int(line.split(":")[1].split(",")[0])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(encode_frame(QUESTION))
            (answer,) = FrameReader().feed(await reader.readexactly(10))
            assert answer.function == SecondaryFunction.LINK_STATUS
            writer.close()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_an_address_that_is_taken_is_told(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("analog_inputs: [{index: 0}]")
    async with asyncio.timeout(30):
        taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        async with taken:
            port = taken.sockets[0].getsockname()[1]
            process = await start(path, "--port", port)
            _, error = await process.communicate()
        assert process.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in error.decode()
