"""Every scenario file of the project is played, and every check in it holds."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.scenarios import runner
from gateway.scenarios.acts import ScenarioError
from gateway.scenarios.diagram import mermaid
from gateway.scenarios.script import schema

CONFIG = Path(__file__).parents[2] / "config"
SCENARIOS = sorted((CONFIG / "scenarios").rglob("*.yaml"))
"""Those of the specification, and variants of them with other numbers."""
MODELS = ("dp", "t", "mf")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_holds(path: Path) -> None:
    (played,) = runner.run([path])
    assert played.error == ""
    assert [v for v in (*played.verdicts, *played.rules) if v.holds is not True] == []
    assert played.verdicts
    assert played.rules, "what holds under the model is always looked at"


@pytest.mark.parametrize("model", MODELS)
def test_permutations_of_a_model_hold_and_end_alike_with_and_without_platform(model: str) -> None:
    paths = sorted((CONFIG / "permutations").glob(f"{model}_*.yaml"))
    played = runner.run(paths)
    assert len(played) == 4
    for one in played:
        assert one.error == ""
        assert [v for v in (*one.verdicts, *one.rules) if not v.holds] == [], one.scenario
    carried = {one.scenario: sum(told.carried for told in one.messages) for one in played}
    assert all((count > 0) == scenario.endswith("platform") for scenario, count in carried.items())


def test_schema_is_one_and_accepts_every_scenario_file() -> None:
    import yaml  # noqa: PLC0415 - only here

    Draft202012Validator.check_schema(schema())
    validator = Draft202012Validator(schema())
    for path in [*SCENARIOS, *(CONFIG / "permutations").glob("*.yaml")]:
        assert list(validator.iter_errors(yaml.safe_load(path.read_text()))) == [], path.name


THEN = "then: [{at_s: 1}]\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("scenario: X\nthen: []\n", 2, "write at least 1 there"),
        ("scenario: X\nthen:\n  - {at_s: 1, power_mv: {B: 2}}\n", 3, "did you mean `power_mw`?"),
        (f"scenario: X\nwhen:\n  - {{at_s: 0}}\n{THEN}", 3, "name exactly one thing that happens"),
        ("scenario: [\n", 2, "not valid YAML"),
        (f"scenario: X\nwhen: [{{at_s: 0, host: {{silent: yes}}}}]\n{THEN}", 2, "write true"),
        (f"scenario: X\nzone:\n  limits: {{margin_pct: many}}\n{THEN}", 3, "`limits.margin_pct` is 'many'"),
        (f"scenario: X\nzone:\n  assets: {{L99: {{derate_pct: 15}}}}\n{THEN}", 3, "L99"),
        (f"scenario: X\nextends: none.yaml\n{THEN}", 2, "correct `extends`"),
        (f"scenario: X\nnetwork:\n  line:\n    L99: {{length_km: 1}}\n{THEN}", 4, "no such element"),
        (f"scenario: X\nnetwork:\n  line:\n    L12: {{length_km: far}}\n{THEN}", 4, "'far' is not a number"),
        (f"scenario: X\nwhen:\n  - {{at_s: 0, dispatch: {{resource: Z, power_mw: 1}}}}\n{THEN}", 3, "names Z"),
        (f"scenario: X\nwhen:\n  - {{at_s: 0, deaf: {{AGENT_X: true}}}}\n{THEN}", 3, "did you mean `AGENT_"),
        ("scenario: X\nthen:\n  - {at_s: 1, message: {code: LIMIT.Isue}}\n", 3, "did you mean `LIMIT.Issue`?"),
        ("scenario: X\nthen:\n  - {at_s: 1, event: {name: limit.isue}}\n", 3, "did you mean `limit.issue`?"),
        ("scenario: X\nthen:\n  - {at_s: 1, power_mw: {BB: 1}}\n", 3, "did you mean `B`?"),
        (f"scenario: X\ngiven:\n  taps: {{T9: 1}}\n{THEN}", 2, "T9"),
        (f"scenario: X\ngiven:\n  taps: {{T1: 9}}\n{THEN}", 2, "T1 goes from -8 to 8, not to 9"),
        (f"scenario: X\ngiven:\n  state_of_charge_pct: {{B: 50}}\n{THEN}", 2, "B stores nothing"),
        (f"scenario: X\nnetwork:\n  line:\n    L12: {{length_km: -5}}\n{THEN}", 4, "it would feed power in"),
        (f"scenario: X\nwhen:\n  - {{at_s: 0, copies_of: {{AGENT_X: 2}}}}\n{THEN}", 3, "did you mean `AGENT_"),
        ("- scenario: X\n", 1, "write `scenario:`, `then:` at the top"),
    ],
)
def test_a_faulty_scenario_is_told_what_is_wrong_and_where(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    (played,) = runner.run([path])
    assert not played.passed
    assert what in played.error
    assert f"{path}:{line}: " in played.error


def test_a_check_that_does_not_hold_fails_the_scenario(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("scenario: X\nthen: [{at_s: 1, power_mw: {B: 3.0}, no_alarm: NON_RESPONSE}]\n")
    (played,) = runner.run([path])
    assert not played.passed
    assert [(v.what, v.holds) for v in played.verdicts][:2] == [("power of B", False), ("no alarm NON_RESPONSE", True)]


def test_another_network_moves_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "scenario: X\nzone: {assets: {L12: {ampacity_a: 120}}}\n"
        "when: [{at_s: 0, dispatch: {resource: A, power_mw: 2.0}}]\n"
        "then: [{at_s: 60, limit: {resource: A, max_mw: 0.34, constraint: L12}}]\n"
    )
    (played,) = runner.run([path])
    assert played.error == ""
    assert [v for v in played.verdicts if not v.holds] == []


def test_diagram_names_every_party_once() -> None:
    (played,) = runner.run([CONFIG / "scenarios" / "s01.yaml"])
    drawn = mermaid("S01", played.messages)
    assert drawn.count("participant IESO") == 1
    assert "DSO->>AGENT_A: T+" in drawn
    assert "LIMIT.Issue A 1.20 MW" in drawn


def test_a_path_that_is_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="neither a file nor a folder"):
        runner.files([tmp_path / "none.yaml"])
