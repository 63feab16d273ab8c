"""Watch the gateway catch an overload: testbed and gateway as two processes, a timeline, a plot, a verdict.

Everything runs on loopback. The exit status is 0 where every expectation came true.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from gateway.demo import plot
from gateway.demo.play import play
from gateway.demo.processes import DemoError
from gateway.demo.scene import Record, Scene
from gateway.demo.scenes import SCENES
from gateway.demo.screen import Screen

PLAIN_WIDTH = 110
"""Columns where the output is not a terminal."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--plot", type=Path, default=Path("build/demo.png"), metavar="FILE", help="where the plot goes")
    parser.add_argument("--only", default="", metavar="TEXT", help="play only scenes with this in their title")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep logs and journals in this directory")


def run(args: Namespace) -> int:
    """0 where every expectation came true, 1 where one did not or the demonstration broke off."""
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    scenes = [scene for scene in SCENES if args.only.lower() in scene.title.lower()]
    if not scenes:
        console.print(f"no scene has {args.only!r} in its title; there are: {', '.join(s.title for s in SCENES)}")
        return 1
    try:
        with TemporaryDirectory(prefix="ampacity-demo-") as temporary:
            played = asyncio.run(_play_all(scenes, args.keep or Path(temporary), console))
    except DemoError as error:
        console.print(f"[red]the demonstration broke off:[/] {error}")
        return 1
    plot.save(played, args.plot)
    console.print(f"\nplot: {args.plot}")
    passed = Screen(console).verdicts([(scene, scene.judge(record)) for scene, record in played])
    return 0 if passed else 1


async def _play_all(scenes: list[Scene], directory: Path, console: Console) -> list[tuple[Scene, Record]]:
    played = []
    for number, scene in enumerate(scenes, start=1):
        screen = Screen(console)
        with screen.on(scene, number, len(scenes)):
            record = await play(scene, _made(directory / f"scene-{number}"), screen.told, screen.progress)
        played.append((scene, record))
    return played


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
