"""The command, its table, its files."""

import json
import re
from xml.etree import ElementTree

import pytest

from moshi_tui import arguments, cli
from moshi_tui.bench import command, picture
from moshi_tui.bench.bars import Bar
from moshi_tui.bench.runs import run_all
from moshi_tui.bench.scenarios import SCENARIOS, SWEEPS, Scenario, Stall, Sweep, quick

pytestmark = pytest.mark.usefixtures("_no_log")

SVG = "{http://www.w3.org/2000/svg}"
SHORT = [
    Scenario("stall", "a <short> stall", 12.0, stalls=(Stall(4.0, 1.0),)),
    Scenario("slow", "slow & long", 12.0, 0.4, 0.4),
]


@pytest.fixture
def _no_log(monkeypatch):
    monkeypatch.setattr(cli, "_start_log", lambda verbose: None)


def test_the_help_of_bench_says_what_there_is(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "--help"])
    assert "bench lag" in capsys.readouterr().out


def test_the_help_names_all_scenarios_and_policies(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "lag", "--help"])
    words = capsys.readouterr().out.replace(",", " ").split()
    assert ", ".join(story.name for story in command.STORIES) == arguments.LAG_SCENARIOS
    assert {policy.name for policy in command.POLICIES} <= set(words)


@pytest.mark.parametrize(
    ("options", "hint"), [(["--scenario", "stal"], "freeze"), (["--policy", "x"], "web")]
)
def test_a_wrong_name_is_answered_with_the_right_ones(capsys, options, hint):
    assert cli.main(["bench", "lag", *options]) == 2
    assert hint in capsys.readouterr().err


def test_mistyped_options_of_a_bench_are_found(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "lag", "--polcy", "web"])
    assert "did you mean --policy" in capsys.readouterr().err


def test_live_options_do_not_go_with_it(capsys):
    assert cli.main(["--headless", "bench", "lag"]) == 2
    assert "moshi-tui bench lag" in capsys.readouterr().err


def test_one_scenario_with_all_policies(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "STORIES", SHORT)
    svg, figures = tmp_path / "lag.svg", tmp_path / "lag.json"
    options = ["--scenario", "stall", "--svg", str(svg), "--json", str(figures)]
    assert cli.main(["bench", "lag", *options]) == 0
    out = capsys.readouterr().out
    assert "a <short> stall" in out
    assert max(map(len, out.splitlines())) <= 100
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert {"ours", "none", "web", "cli"} <= set(rows)
    known = json.loads(figures.read_text())
    assert list(known["scenarios"]["stall"]) == ["ours", "none", "web", "cli"]
    reference = known["scenarios"]["stall"]["none"]
    assert reference["change"] == pytest.approx(1_000, abs=10)
    assert rows["none"][1] == f"{reference['before']:.0f}"
    assert known["bars"]
    assert ElementTree.parse(svg).getroot().tag == f"{SVG}svg"


def test_check_makes_a_missed_bar_the_exit_status(capsys, monkeypatch):
    monkeypatch.setattr(command, "STORIES", SHORT[:1])
    monkeypatch.setattr(command, "check", lambda results: [Bar("lag", "9", "8", False)])
    assert cli.main(["bench", "lag", "--policy", "none"]) == 0
    assert cli.main(["bench", "lag", "--policy", "none", "--check"]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_told(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "STORIES", SHORT[:1])
    options = ["bench", "lag", "--policy", "none", "--svg", str(tmp_path / "no" / "lag.svg")]
    assert cli.main(options) == 1
    assert "Cannot write" in capsys.readouterr().err


def test_the_picture_has_a_panel_a_scenario_and_a_line_a_policy():
    results = run_all(SHORT, command.POLICIES, 1)
    titles = {story.name: story.title for story in SHORT}
    names = {policy.name: policy.title for policy in command.POLICIES}
    root = ElementTree.fromstring(picture.draw(results, titles, names))
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a <short> stall", "slow & long", *names.values()} <= set(words)
    assert any(re.fullmatch(r"none, web, cli: on to \d+ s", each or "") for each in words)
    lines = [path for path in root.iter(f"{SVG}path") if path.get("stroke-linejoin")]
    assert len(lines) == len(command.POLICIES) * (1 + len(SHORT))
    assert len({line.get("stroke") for line in lines}) == len(command.POLICIES)
    assert len({line.get("stroke-dasharray") for line in lines}) == len(command.POLICIES)


def test_a_sweep_tries_every_moment_of_every_talk():
    sweep = Sweep("stall-sweep", "{cases}", Stall(0.0, 1.0), 2, 3.0, 2, 4.0, 4.0)
    results = run_all([sweep], command.POLICIES[1:2], 1)
    cases = results.sweeps["stall-sweep"]["none"]
    assert len(cases) == 4
    assert all(case.change == pytest.approx(1_000, abs=10) for case in cases)
    assert len({case.least for case in cases} | {case.gaps_in_speech for case in cases}) > 1


def test_quick_is_shorter():
    assert sum(quick(each).seconds for each in SCENARIOS) < 500
    assert all(quick(each).talks < each.talks for each in SWEEPS)
