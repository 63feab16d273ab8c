"""Every scenario file of the project is played, and every check in it holds."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.scenarios import runner
from gateway.scenarios.acts import ScenarioError
from gateway.scenarios.diagram import mermaid
from gateway.scenarios.script import schema

CONFIG = Path(__file__).parents[2] / "config"
SCENARIOS = sorted((CONFIG / "scenarios").glob("*.yaml"))
MODELS = ("dp", "t", "mf")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_holds(path: Path) -> None:
    (played,) = runner.run([path])
    assert played.error == ""
    assert [v for v in played.verdicts if not v.holds] == []
    assert played.verdicts


@pytest.mark.parametrize("model", MODELS)
def test_permutations_of_a_model_hold_and_end_alike_with_and_without_platform(model: str) -> None:
    paths = sorted((CONFIG / "permutations").glob(f"{model}_*.yaml"))
    played = runner.run(paths)
    assert len(played) == 4
    for one in played:
        assert one.error == ""
        assert [v for v in one.verdicts if not v.holds] == [], one.scenario
    carried = {one.scenario: sum(told.carried for told in one.messages) for one in played}
    assert all((count > 0) == scenario.endswith("platform") for scenario, count in carried.items())


def test_schema_is_one_and_accepts_every_scenario_file() -> None:
    import yaml  # noqa: PLC0415 - only here

    Draft202012Validator.check_schema(schema())
    validator = Draft202012Validator(schema())
    for path in [*SCENARIOS, *(CONFIG / "permutations").glob("*.yaml")]:
        assert list(validator.iter_errors(yaml.safe_load(path.read_text()))) == [], path.name


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("scenario: X\nthen: []\n", "then"),
        ("scenario: X\nthen: [{at_s: 1, no_such: 2}]\n", "no_such"),
        ("scenario: X\nwhen: [{at_s: 0}]\nthen: [{at_s: 1}]\n", "exactly one thing"),
        ("scenario: [\n", "not YAML"),
        ("scenario: X\nzone: {limits: {margin_pct: many}}\nthen: [{at_s: 1}]\n", "margin_pct"),
        (
            "scenario: X\nnetwork: {line: {L99: {length_km: 1}}}\nthen: [{at_s: 1}]\n",
            "network.line.L99: no such element",
        ),
        ("scenario: X\nnetwork: {line: {L12: {length_km: far}}}\nthen: [{at_s: 1}]\n", "'far' is not a number"),
        ("scenario: X\nwhen: [{at_s: 0, dispatch: {resource: Z, power_mw: 1}}]\nthen: [{at_s: 1}]\n", "'Z' is unknown"),
        ("scenario: X\ngiven: {taps: {T9: 1}}\nthen: [{at_s: 1}]\n", "T9"),
    ],
)
def test_a_faulty_scenario_is_told_what_is_wrong(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    (played,) = runner.run([path])
    assert not played.passed
    assert what in played.error


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
