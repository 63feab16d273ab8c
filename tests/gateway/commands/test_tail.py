import io
import sys

import orjson
import pytest

from gateway.__main__ import main
from gateway.commands.tail import Filter, grown, shown
from gateway.logs.line import human

LIMIT = {
    "time": "2026-05-31T12:00:35.000Z",
    "level": "info",
    "event": "limit.issue",
    "zone": "R1",
    "cycle_id": "k1",
    "resource": "A",
    "mw": 1.2,
    "reason": "THERMAL",
}
LOST = {
    "time": "2026-05-31T12:05:00.000Z",
    "level": "warning",
    "event": "device.link",
    "resource": "B",
    "state": "lost",
    "detail": "polled 3 times, no answer",
}


def line(fields) -> bytes:
    return orjson.dumps(fields) + b"\n"


def events(wanted: Filter) -> list[str]:
    return [text.split()[2] for text in shown([line(LIMIT), line(LOST)], wanted, colour=False)]


def test_a_line_is_aligned_with_its_context_last():
    assert human(LIMIT, colour=False) == (
        "12:00:35.000 info    limit.issue        A      mw=1.2 reason=THERMAL zone=R1 cycle_id=k1"
    )
    assert human(LOST, colour=False) == (
        '12:05:00.000 warning device.link        B      state=lost detail="polled 3 times, no answer"'
    )


def test_a_trace_follows_on_lines_of_its_own():
    fields = LIMIT | {"exception": "Traceback\n  here"}
    assert human(fields, colour=False).endswith("cycle_id=k1\nTraceback\n  here")


def test_control_characters_never_reach_the_terminal():
    bad = "\x1b[2J\x9b2J\r"
    for key in ("time", "level", "event", "resource", "detail", "zone", "exception"):
        for value in (bad, f"{bad} text", {"inner": bad}, [bad]):
            text = human({"event": "x.y", key: value}, colour=False)
            assert text.replace("\n", "").isprintable(), key


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), ["limit.issue", "device.link"]),
        (Filter(events=("limit.*",)), ["limit.issue"]),
        (Filter(events=("limit.*", "device.link")), ["limit.issue", "device.link"]),
        (Filter(resources=frozenset({"B"})), ["device.link"]),
        (Filter(level="warning"), ["device.link"]),
        (Filter(level="error"), []),
        (Filter(cycle="k1"), ["limit.issue"]),
        (Filter(since="2026-05-31T12:01"), ["device.link"]),
        (Filter(since="2026-05-31T12:05:00.000Z"), ["device.link"]),
    ],
)
def test_filters(wanted, expected):
    assert events(wanted) == expected


ODD = [
    b"plain text\n",
    b"[1, 2]\n",
    b'{"no": "event"}\n',
    b"\xff\xfe broken\n",
    b'{"event": "cut.off", ',
    b"\n",
    line(LIMIT),
]


def test_what_is_no_json_line_is_shown_as_it_is():
    texts = list(shown(ODD, Filter(), colour=False))
    assert texts[:3] == ["plain text", "[1, 2]", '{"no": "event"}']
    assert texts[3].endswith("broken")
    assert len(texts) == len(ODD)


def test_what_is_no_json_line_is_left_out_when_filtering():
    assert len(list(shown(ODD, Filter(level="info"), colour=False))) == 1
    assert list(shown(ODD, Filter(), colour=False, as_json=True)) == [line(LIMIT).decode().rstrip()]


def test_following_sees_what_is_added_in_pieces_cut_off_and_rotated(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    steps = iter(
        [
            lambda: path.open("ab").write(b"tw"),
            lambda: path.open("ab").write(b"o\nthree\n"),
            lambda: path.write_bytes(b"cut\n"),
            lambda: path.rename(tmp_path / "log.1"),
            lambda: path.write_bytes(b"rotated\n"),
        ]
    )

    def wait() -> bool:
        step = next(steps, None)
        if step is None:
            return False
        step()
        return True

    assert list(grown(path, wait)) == [b"one\n", b"two\n", b"three\n", b"cut\n", b"rotated\n"]


def test_the_command_reads_a_file_and_filters_it(tmp_path, capsys):
    path = tmp_path / "log"
    path.write_bytes(line(LIMIT) + line(LOST))
    assert main(["tail", str(path), "--since", "2026-05-31T14:01+02:00", "--level", "warning"]) == 0
    assert capsys.readouterr().out.startswith("12:05:00.000 warning device.link")
    assert main(["tail", str(path), "--since", "1d", "--json", "--colour", "always"]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_reads_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(LIMIT))))
    assert main(["tail", "--colour", "always"]) == 0
    assert "\x1b[32minfo" in capsys.readouterr().out


def test_a_missing_file_is_said(tmp_path, capsys):
    assert main(["tail", str(tmp_path / "none")]) == 1
    assert "there is no file" in capsys.readouterr().err
    assert main(["tail", str(tmp_path)]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_a_time_that_is_none_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["tail", "--since", "yesterday"])
    assert "is no time; write it as" in capsys.readouterr().err
