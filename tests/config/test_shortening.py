"""A shortened market: times divided, ramps multiplied, everything else left alone."""

from importlib.resources import files
from pathlib import Path

from config.loader import load, load_as_written, shortened

ZONES = Path(str(files("config.zones")))


def test_the_short_zone_runs_ten_times_as_fast():
    short, normal = load(ZONES / "r1_short.yaml"), load(ZONES / "r1.yaml")
    assert short.clocks.model_dump() == {
        "interval_s": 30,
        "tick_s": 1,
        "look_ahead_intervals": 12,
        "receipt_s": 0.2,
        "impact_check_s": 3,
        "limit_issue_s": 3.5,
        "commit_s": 6,
        "notice_s": 6,
        "limit_expiry_s": 90,
        "shorten_by": 1,
    }
    assert short.limits.release_s == 6
    assert short.devices["A"].lease_s == 90
    assert short.devices["A"].endpoint == normal.devices["A"].endpoint
    assert short.devices["A"].nameplate == normal.devices["A"].nameplate


def test_ramps_are_multiplied(tmp_path):
    path = tmp_path / "zone.yaml"
    path.write_text(f"extends: {ZONES / 'r1.yaml'}\nclocks: {{shorten_by: 10}}\n")
    assert load(path).devices["C"].nameplate.ramp_mw_per_min == 2
    assert load(path).devices["A"].nameplate.ramp_mw_per_min is None


def test_shortening_is_done_once():
    short = load(ZONES / "r1_short.yaml")
    assert shortened(short) == short


def test_the_file_as_written_keeps_its_times():
    assert load_as_written(ZONES / "r1_short.yaml").clocks.interval_s == 300


def test_an_operation_is_worth_as_much_as_in_a_long_interval(tmp_path):
    path = tmp_path / "zone.yaml"
    switch = "{cost: 20, max_ops_per_hour: 2, min_dwell_s: 600}"
    adms = f"adms: {{switches: {{SWT: {switch}}}}}"
    path.write_text(f"extends: {ZONES / 'r1.yaml'}\n{adms}\nclocks: {{shorten_by: 10}}\n")
    short, normal = load(path).adms, load_as_written(path).adms
    assert short.curtailment_per_mwh == 10 * normal.curtailment_per_mwh
    assert short.loss_per_mwh == 10 * normal.loss_per_mwh
    tie = short.switches["SWT"]
    assert (tie.cost, tie.max_ops_per_hour, tie.min_dwell_s) == (20, 20, 60)
    assert (short.confirm_s, short.guard_s) == (normal.confirm_s, normal.guard_s / 10)
