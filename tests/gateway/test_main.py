import subprocess
import sys

import pytest

from gateway.__main__ import main


def test_help_lists_every_command_with_the_first_line_of_its_docstring(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    out = capsys.readouterr().out
    assert "tail" in out
    assert "show log lines for people: aligned, coloured and filtered" in out


def test_help_of_a_command_tells_all_about_it(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["tail", "--help"])
    assert "ampacity run zone.yaml | ampacity tail" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["tail", "--nonsense"]])
def test_a_wrong_call_ends_with_2(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert "usage: ampacity" in capsys.readouterr().err


def test_help_imports_no_heavy_library():
    program = (
        "import sys; from gateway.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pydantic', 'structlog', 'aiohttp', 'rich'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_reader_who_has_gone_is_no_error(tmp_path):
    log = tmp_path / "log"
    log.write_text('{"event": "cycle.end"}\n' * 5000)
    program = "import sys; from gateway.__main__ import main; sys.exit(main(['tail', sys.argv[1]]))"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
