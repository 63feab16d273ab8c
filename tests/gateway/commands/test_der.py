"""`ampacity der` against the API of a server over a loopback socket."""

import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.__main__ import main
from ieee2030_5 import resources as r
from ieee2030_5.admin import token
from ieee2030_5.admin.desk import Desk
from ieee2030_5.enrolment import build
from ieee2030_5.pki import make_pki
from ieee2030_5.settings import AdminSettings, DeviceSettings, ServerSettings
from ieee2030_5.tree import Tree
from tests.ieee2030_5.admin.background import serving

pytestmark = pytest.mark.sockets

T0 = 1_900_000_000
LFDI = "0123456789" * 4
Der = Callable[..., str]


@pytest.fixture
def tree() -> Tree:
    nothing = Path("unused.pem")
    settings = ServerSettings(nothing, nothing, nothing, devices=(DeviceSettings("A", "AB" * 20, 1e6),))
    return Tree(build(settings, "CD" * 20, T0), lambda _: None)


@pytest.fixture
def directory(tree: Tree, tmp_path: Path) -> Iterator[Path]:
    """The storage directory of a server that runs in a thread of its own."""
    settings = AdminSettings(token.make(tmp_path, {}), announce=tmp_path / token.URL_FILE)
    with serving(lambda: Desk(tree, frozenset({"A"}), T0), settings):
        yield tmp_path


@pytest.fixture
def der(directory: Path, capsys: pytest.CaptureFixture[str]) -> Der:
    def call(*words: str, status: int = 0) -> str:
        got = main(["der", *words, "--directory", str(directory)])
        told = capsys.readouterr()
        assert got == status, told
        return "\n".join(line.rstrip() for line in (told.err if status else told.out).splitlines())

    return call


def test_a_device_is_registered_shown_and_removed(der: Der, tree: Tree) -> None:
    der("group", "north", "--kind", "feeder", "--description", "North")
    shown = der("register", "PV7", "--lfdi", LFDI, "--max-w", "10000", "--profile", "csip_aus", "--group", "north")
    assert re.search(r"^lfdi +0123456789", shown, re.M)
    assert re.search(r"^groups +north$", shown, re.M)
    assert re.search(r"^programs +PV7 \(65\)$", shown, re.M)
    listed = der("list").splitlines()
    assert [line.split()[0] for line in listed] == ["name", "A", "PV7"]
    assert json.loads(der("show", "PV7", "--json"))["max_w"] == 10_000
    assert "removed" in der("remove", "PV7")
    assert [*tree.utility.devices] == ["A"]


def test_a_certificate_gives_the_lfdi(der: Der, tree: Tree, tmp_path: Path) -> None:
    issued = {item.name: item for item in make_pki(tmp_path / "pki", ["PV7"], ["localhost"], 1_700_000_000)}
    der("register", "PV7", "--certificate", str(issued["PV7"].certificate), "--max-w", "1")
    assert tree.utility.lfdis[issued["PV7"].lfdi] == "PV7"
    assert "holds no certificate" in der("register", "X", "--certificate", "pyproject.toml", "--max-w", "1", status=1)


def test_a_pin_is_set_or_made_and_never_shown_again(der: Der, tree: Tree) -> None:
    der("pin", "A", "123455")
    assert tree.utility.devices["A"].settings.pin == 123455
    made = re.search(r"PIN (\d{6})", der("pin", "A"))
    assert made is not None
    assert tree.utility.devices["A"].settings.pin == int(made[1])
    assert made[1] not in der("show", "A") + der("show", "A", "--json") + der("list", "--json")


def test_a_table_of_devices_is_registered_at_once(der: Der, tree: Tree, tmp_path: Path) -> None:
    der("group", "north", "--kind", "feeder")
    table = tmp_path / "devices.csv"
    rows = [f"D{n},{n:040X},1e4,-5000,csip_aus,{n},true,north" for n in range(1_200)]
    table.write_text("name,lfdi,max_w,min_w,profile,pin,in_band,groups\n" + "\n".join(rows))
    assert der("import", str(table)) == "1200 devices are registered"
    assert len(tree.utility.groups["north"].members) == 1_200
    last = tree.utility.devices["D1199"]
    assert (last.settings.pin, last.settings.min_w, last.registered_s) == (1_199, -5_000, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,lfdi\nX,00", "name, lfdi and max_w are needed"),
        ("name,lfdi,max_w,colour\nX,00,1,red", "name, lfdi and max_w are needed"),
        (f"name,lfdi,max_w\nX,{LFDI},1\nY,{LFDI},1", "Y or its certificate is there twice"),
        (f"name,lfdi,max_w,groups\nX,{LFDI},1,nowhere", "there is no group 'nowhere'"),
        ("name,lfdi,max_w\nX,00,1", "devices.0.lfdi"),
        ("name,lfdi,max_w\nX,00,1,2,3", "more cells than columns in the row of X"),
        ('name,lfdi,max_w\nX,"00,1', "cannot be read as a table"),
    ],
)
def test_a_faulty_table_registers_nothing(der: Der, tree: Tree, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "devices.csv").write_text(text)
    assert told in der("import", str(tmp_path / "devices.csv"), status=1)
    assert [*tree.utility.devices] == ["A"]


def test_an_aggregator_gains_and_loses_members(der: Der, tree: Tree) -> None:
    der("register", "AGG", "--lfdi", LFDI, "--aggregator", "--may-enrol")
    assert re.search(r"^members +A$", der("member", "AGG", "A"), re.M)
    assert "members" not in der("member", "AGG", "A", "--remove")


def test_devices_move_between_groups(der: Der, tree: Tree) -> None:
    der("group", "north", "--kind", "feeder")
    der("group", "south", "--kind", "feeder")
    der("group", "north", "--add", "A")
    der("group", "south", "--add", "A", "--description", "South")
    der("group", "north", "--drop", "A")
    assert tree.utility.devices["A"].groups == ("south",)
    rows = {line.split()[0]: line.split() for line in der("group").splitlines()}
    assert rows["south"] == ["south", "feeder", "1", "South"]
    der("group", "south", "--remove")
    assert [*tree.utility.groups] == ["north"]


def test_a_control_is_issued_answered_superseded_and_cancelled(der: Der, tree: Tree) -> None:
    der("program", "flex", "--device", "A", "--primacy", "40")
    der("program", "flex", "--description", "Flexibility")
    assert tree.utility.programs["flex"].description == "Flexibility"
    shown = der("control", "issue", "flex", "opModMaxLimW=50", "--at", "2030-03-17T12:46:40-05:00", "--for", "10m")
    mrid = shown.splitlines()[1].split()[0]
    assert "opModMaxLimW=50" in shown
    event = tree.utility.programs["flex"].events[0]
    assert (event.mRID, event.base.opModMaxLimW, event.interval.duration) == (mrid, 5_000, 600)
    assert der("waiting", mrid).splitlines()[1].split()[:3] == ["A", "nothing", "received"]
    wanted = ["opModMaxLimW=30", "--at", "2030-03-17T17:46:40Z", "--for", "600s"]
    der("control", "supersede", mrid, *wanted)
    assert [one["status"] for one in json.loads(der("control", "list", "flex", "--json"))["controls"]] == [
        "active",
        "superseded",
    ]
    newer = tree.utility.programs["flex"].events[-1].mRID
    assert "cancelled" in der("control", "cancel", newer)
    assert der("control", "clear", "flex").startswith("0 controls")
    der("program", "flex", "--remove")
    assert "flex" not in der("program")


def test_modes_that_are_objects_are_json(der: Der, tree: Tree) -> None:
    der("program", "flex", "--device", "A", "--primacy", "40")
    der("control", "issue", "flex", 'opModFixedVar={"refType": 1, "value": 12.5}', "opModConnect=true",
        "--at", "2030-03-17T12:46:40-05:00", "--for", "60s")  # fmt: skip
    assert tree.utility.programs["flex"].events[0].base == r.DERControlBase(
        opModConnect=True, opModFixedVar=r.FixedVar(refType=1, value=1_250)
    )


def test_a_curve_is_made_referred_to_and_kept_while_it_is_in_use(der: Der, tree: Tree) -> None:
    der("program", "flex", "--device", "A", "--primacy", "40")
    made = der("curve", "flex", "opModVoltVar", "9500,100", "9800,0", "10200,0", "10500,-100", "y_reference=2",
               "x_multiplier=-2")  # fmt: skip
    (name,) = tree.utility.programs["flex"].curves
    assert made.splitlines()[1].split()[:3] == [name, "opModVoltVar", "9500,100"]
    der("control", "issue", "flex", f"opModVoltVar={name}", "--at", "2030-03-17T12:46:40-05:00", "--for", "60s")
    assert tree.utility.programs["flex"].events[0].base.opModVoltVar == r.Link(href=f"/derp/flex/dc/{name}")
    assert "in use" in der("curve", "flex", "--remove", name, status=1)
    der("control", "issue", "flex", "opModVoltVar=123456789012", "--for", "60s", status=1)
    der("curve", "flex", "opModVoltWatt", "10000,100", "description=Spare")
    (spare,) = tree.utility.programs["flex"].curves.keys() - {name}
    assert der("curve", "flex", "--remove", spare) == der("curve", "flex")
    assert spare not in der("curve", "flex")


def test_a_default_is_shown_and_set(der: Der, tree: Tree) -> None:
    der("program", "flex", "--device", "A", "--primacy", "40")
    shown = der("default", "flex", "opModMaxLimW=20", "setGradW=27")
    assert re.search(r"^modes +opModMaxLimW=20$", shown, re.M)
    assert tree.utility.programs["flex"].default.setGradW == 27
    assert der("default", "flex") == shown


def test_rates_and_access_are_set_and_reset(der: Der, tree: Tree) -> None:
    assert "60 s" in der("rates", "poll", "derp", "60")
    assert tree.utility.poll_rates == {"derp": 60}
    assert "60 s" not in der("rates", "poll", "derp", "default")
    assert re.search(rf"^{'AB' * 20} +A +denied", der("access", "A", "denied"), re.M)
    assert tree.utility.refuses("AB" * 20, T0)
    der("access", "A", "default")
    assert tree.utility.access == {}
    der("access", LFDI, "enabled", "--for", "1d")
    assert tree.utility.access[LFDI].until_s is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("show nobody", "there is no device 'nobody' (device); `ampacity der list` shows all"),
        ("register X --lfdi 12 --max-w 1", "lfdi"),
        (f"register X --lfdi {LFDI}", "--max-w"),
        ("group nowhere", "--kind makes one"),
        ("program flex --device A", "--primacy"),
        ("control issue A opModMaxLimW=1 --for 60s", "are the gateway's (program); make a program"),
        ("control cancel 00", "String should match pattern"),
        ("rates poll derp", "say of what and how often"),
        ("rates poll weather 60", "choose from dcap"),
        ("access A", "say what"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(der: Der, words: str, told: str) -> None:
    assert told in der(*words.split(), status=1)


@pytest.mark.parametrize(
    "words",
    [
        "control issue flex opModMaxLimW --for 60s",
        "control issue flex a=1 --for soon",
        "control issue flex a=1 --for 60",
        "control issue flex a=1 --at 2030-03-17T12:46:40 --for 60s",
        "curve flex opModVoltVar 1;2",
    ],
)
def test_what_cannot_be_read_is_a_wrong_call(der: Der, words: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        der(*words.split())


def test_without_a_gateway_it_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["der", "list", "--directory", str(tmp_path)]) == 1
    assert "ampacity run ZONE" in capsys.readouterr().err
    (tmp_path / token.URL_FILE).write_text("http://127.0.0.1:1\n")
    token.make(tmp_path, {})
    assert main(["der", "list", "--directory", str(tmp_path)]) == 1
    assert "no gateway answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_the_token_is_for_its_owner_alone(der: Der, directory: Path) -> None:
    path = directory / token.TOKEN_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert "chmod 600" in der("list", status=1)
    path.chmod(0o600)
    path.write_text("another token of enough characters\n")
    assert "bearer token is missing or wrong" in der("list", status=1)
    path.write_text("short\n")
    assert "take a longer one" in der("list", status=1)
