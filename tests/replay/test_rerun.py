import signal
import threading
import time
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest

from moshi_tui.checkpoint import Cancelled
from moshi_tui.config import CheckpointOptions
from moshi_tui.errors import MoshiTuiError
from moshi_tui.model import Generator, load
from moshi_tui.model.device import device_name
from moshi_tui.recording.codes import Codes
from moshi_tui.recording.reader import Recording
from moshi_tui.recording.weights import describe_weights
from moshi_tui.replay import command
from moshi_tui.replay.comparison import Comparison, Gap, moment
from moshi_tui.replay.named import sources
from moshi_tui.replay.rerun import rerun
from tests.checkpoint import hub_server
from tests.model.small import write_checkpoint
from tests.recording.made import HEADER, LAG, record, write_recording
from tests.vocabulary import write_tokenizer

CONFIG = {
    "text_card": 320,
    "tokenizer_name": "words.model",
    "mimi_name": "mimi.safetensors",
    "conditioners": {
        "description": {
            "type": "lut",
            "lut": {
                "n_bins": 3,
                "dim": 16,
                "tokenizer": "noop",
                "possible_values": ["very_good", "bad"],
            },
        }
    },
    "fuser": {"sum": ["description"]},
}
SAMPLED = HEADER["sampling"]
GREEDY = SAMPLED | {"text_temperature": 0.0, "audio_temperature": 0.0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = write_checkpoint(tmp_path_factory.mktemp("model"), CONFIG)
    write_tokenizer(folder / "words.model", 320)
    (folder / "mimi.safetensors").touch()  # nobody looks into it
    return folder


@pytest.fixture(scope="module")
def model(checkpoint):
    return load(checkpoint)


@pytest.fixture(scope="module")
def talks():
    """What the model says, so that it says it once."""
    return {}


@pytest.fixture
def recorded(tmp_path, checkpoint, model, talks):
    """Makes a recording of what the model says; `runs` are seeds and numbers of steps."""

    def make(runs=((7, 20), (8, 15)), sampling=SAMPLED, heard=None, change=None, **header):
        key = repr((runs, sampling))
        if key not in talks:
            talks[key] = said(model, runs, sampling)
        codes = talks[key]
        if heard is not None:
            codes = replace(codes, frame=np.array(heard[: len(codes)]))
        if change is not None:
            codes = change(codes)
        header = {
            "sampling": sampling,
            "checkpoint": {"model_dir": str(checkpoint)},
            "quant": "f32",
            "device": device_name(),
            "packages": {"mlx": version("mlx")},
            "weights": describe_weights(checkpoint / "model.safetensors"),
            "codes": {"user": 4, "moshi": 4},
        } | header
        number = len(list(tmp_path.iterdir()))
        records = [record(t, "lag", **LAG) for t in range(4)]
        folder = tmp_path / f"talk-{number}"
        write_recording(folder, seconds=4, header=header, records=records)
        np.savez(folder / "codes.npz", **codes.arrays())
        return Recording(folder)

    return make


def said(model, runs, sampling):
    rows = {name: [] for name in Codes.__dataclass_fields__}
    random = np.random.default_rng(3)
    for epoch, (seed, steps) in enumerate(runs):
        generator = Generator(model, **sampling, seed=seed)
        for step in range(steps):
            user = random.integers(0, 32, 4, dtype=np.int32)
            answer = generator.step(user)
            rows["epoch"].append(epoch)
            rows["step"].append(step)
            rows["seed"].append(np.uint32(seed))
            rows["frame"].append(len(rows["frame"]))
            rows["text"].append(answer.text_token)
            rows["user"].append(user)
            none = np.full(4, -1, np.int32)
            codes = answer.audio_codes
            rows["moshi"].append(none if codes is None else codes.astype(np.int32))
    return Codes(**{name: np.array(values) for name, values in rows.items()})


def run(recording, options=None, **more):
    told = more.setdefault("warned", [])
    return rerun(recording, options, lambda *at: None, told.append, lambda: False)


def changed(name, row, value):
    def change(codes):
        values = getattr(codes, name).copy()
        values[row] = value
        return replace(codes, **{name: values})

    return change


def without(*rows):
    return lambda codes: Codes(
        **{name: np.delete(values, rows, axis=0) for name, values in codes.arrays().items()}
    )


@pytest.mark.parametrize("sampling", [SAMPLED, GREEDY])
def test_the_same_model_says_the_same(recorded, sampling):
    warned = []
    comparison = run(recorded(sampling=sampling), warned=warned)
    assert warned == []
    assert comparison.same
    assert (comparison.steps, comparison.equal, comparison.texts) == (35, 35, 35)
    assert (comparison.frames, comparison.codebooks, comparison.gaps) == (35, 4, ())


def test_sampling_seeds_and_conditions_of_the_recording_are_used(recorded):
    talk = recorded(sampling=GREEDY | {"conditions": {"description": "bad"}})
    assert run(talk).same
    for told in (GREEDY, GREEDY | {"text_top_k": 3, "text_temperature": 1.5}):
        talk.header["sampling"] = told
        assert not run(talk).same
    other_seed = recorded(change=changed("seed", slice(20, 35), 9))
    comparison = run(other_seed)
    assert comparison.equal >= 20
    assert not comparison.same


def test_a_changed_text_token_is_found_with_its_words(recorded):
    comparison = run(recorded(change=changed("text", 25, 3)))
    first = comparison.first
    assert (first.step, first.what) == (5, "text")
    assert first.t == pytest.approx(25 * 0.08)
    assert first.recorded == "token 3 (nothing said)"
    assert first.now.startswith("token ")
    assert (comparison.equal, comparison.texts, comparison.frames) == (34, 34, 35)
    lines = list(comparison.lines())
    assert "first difference at step 5, 00:02.000: text" in lines
    assert any(line.startswith("34 of 35 steps equal (34 text tokens, 35 frames") for line in lines)


def test_a_changed_code_is_found_with_its_codebook(recorded):
    talk = recorded()
    code = int(talk.codes().moshi[12, 2])
    comparison = run(recorded(change=changed("moshi", (12, 2), (code + 1) % 32)))
    first = comparison.first
    assert (first.step, first.what) == (12, "codebook 3")
    assert (first.recorded, first.now) == (f"code {(code + 1) % 32}", f"code {code}")
    assert (comparison.texts, comparison.frames) == (35, 34)


def test_another_code_of_the_user_changes_what_follows_until_the_reset(recorded):
    comparison = run(recorded(change=changed("user", (4, 0), 31), sampling=SAMPLED))
    assert comparison.first.step >= 4
    assert 4 + 15 <= comparison.equal < 35


def test_frames_that_the_model_never_heard_do_not_count(recorded):
    heard = [*range(3), *range(20, 60)]
    comparison = run(recorded(heard=heard, change=changed("text", 10, 3)))
    assert comparison.steps == 35
    # Its frame is number 27: the record of the third second has 25.
    assert comparison.first.t == pytest.approx(27 * 0.08)


def test_after_a_hole_nothing_is_compared_until_the_reset(recorded):
    comparison = run(recorded(change=without(5, 6)))
    assert comparison.same
    assert comparison.steps == 5 + 15
    (gap,) = comparison.gaps
    assert (gap.steps, gap.t) == (13, pytest.approx(7 * 0.08))
    line = "13 steps from 00:00.560 on not compared: the recording lacks the steps before number 7"
    assert line in list(comparison.lines())


def test_a_recording_that_began_in_the_middle_is_compared_from_its_reset_on(recorded):
    comparison = run(recorded(change=without(range(12))))
    assert comparison.same
    assert comparison.steps == 15
    assert comparison.gaps == (Gap(1.0, 8, "it began 12 steps into the talk"),)
    with pytest.raises(
        MoshiTuiError, match=r"Nothing to compare.*12 steps into the talk"
    ) as caught:
        run(recorded(runs=((7, 20),), change=without(range(12))))
    assert "--record" in caught.value.hint


def test_what_was_before_the_recording_began_is_told_as_such(recorded):
    recording = recorded(change=changed("text", 5, 3), frames={"first": 30})
    recording.records.clear()
    first = run(recording).first
    assert moment(first.t) == "00:02.000 before the recording begins"


def test_without_any_step_there_is_nothing_to_compare(recorded):
    with pytest.raises(MoshiTuiError, match="has not made a step"):
        run(recorded(runs=((7, 1),), change=without(0)))


def test_what_differs_from_then_is_told(recorded):
    recording = recorded(
        weights={"file": "other.safetensors", "bytes": 3, "fingerprint": "0" * 16},
        quant="q4",
        device="Apple M3",
        packages={"mlx": "0.1"},
        runner="kernel",
    )
    warned = []
    assert run(recording, warned=warned).same
    assert len(warned) == 5
    assert warned[0].startswith("other weights: recorded with other.safetensors, not /")
    assert "another precision: recorded with q4, now f32" in warned
    assert warned[3].startswith("another MLX: recorded with 0.1, now ")
    assert warned[4] == "another runner: recorded with kernel, now numpy"
    del recording.header["runner"]  # as before there were several
    del recording.header["weights"]
    recording.damaged_lines = 2
    warned.clear()
    run(recording, warned=warned)
    assert warned[0].endswith("events.jsonl: 2 lines are damaged and left out")
    assert "does not say with which weights" in warned[1]


def test_a_recording_from_before_runners_were_named_was_drawn_otherwise(recorded):
    told = []
    for sampling in (SAMPLED, GREEDY):
        recording = recorded(runs=((7, 2),), sampling=sampling)
        recording.header.pop("runner", None)
        told.append([])
        run(recording, warned=told[-1])
    assert told == [["an older version recorded it, which drew tokens otherwise"], []]


def test_packages_that_are_none_are_another_mlx(recorded):
    warned = []
    assert run(recorded(runs=((7, 2),), packages=7), warned=warned).same
    assert warned == [f"another MLX: recorded with None, now {version('mlx')}"]


def test_what_cannot_be_compared_is_told_before_a_model_is_loaded(recorded):
    talk = recorded(runs=((7, 20),), change=without(range(12)))
    with pytest.raises(MoshiTuiError, match="Nothing to compare"):
        run(talk, CheckpointOptions(model_dir="/nowhere"))


def test_a_model_that_is_gone_is_named_with_the_way_out(recorded):
    with pytest.raises(MoshiTuiError, match=r"made with /nowhere/m, which does not") as caught:
        run(recorded(runs=((7, 1),), checkpoint={"model_dir": "/nowhere/m"}))
    assert "--model-dir MODEL" in caught.value.hint


def test_nothing_is_fetched_on_the_word_of_a_recording_but_kyutai_s(
    recorded, tmp_path, monkeypatch
):
    for hub in hub_server.serve(tmp_path / "hub", monkeypatch):
        for owner in ("someone", "kyutai"):
            hub.add(f"{owner}/other", {"config.json": b"[]"})
        with pytest.raises(MoshiTuiError, match=r"someone/other, which is not on") as caught:
            run(recorded(runs=((7, 1),), checkpoint={"hf_repo": "someone/other"}))
        assert "--model --hf-repo someone/other" in caught.value.hint
        assert hub.requests == []
        for options in (None, CheckpointOptions(hf_repo="someone/other")):  # asked for
            with pytest.raises(MoshiTuiError, match="holds no JSON object"):
                run(recorded(runs=((7, 1),), checkpoint={"hf_repo": "kyutai/other"}), options)


def test_what_somebody_has_fetched_before_is_taken_without_a_network(
    recorded, checkpoint, tmp_path, monkeypatch
):
    files = {path.name: path.read_bytes() or b"codec" for path in checkpoint.iterdir()}
    options = CheckpointOptions(hf_repo="someone/other")
    talk = recorded(runs=((7, 2),), checkpoint={"hf_repo": "someone/other"})
    for hub in hub_server.serve(tmp_path / "hub", monkeypatch):
        hub.add("someone/other", files)
        assert run(talk, options).same
        hub.requests.clear()
        assert run(talk).same
        assert hub.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "kyutai/moshiko-mlx-bf16"),
        ({"quant": 4, "voice": "moshika"}, "kyutai/moshika-mlx-q4"),
        ({"hf_repo": "a/b", "revision": "v1", "quant": 8}, "a/b (v1)"),
        ({"model_dir": "/m\x1b[2J", "tokenizer": "/t"}, "/t, /m"),
        ({"moshi_weight": "/a", "mimi_weight": "/b", "tokenizer": "/c"}, "/a, /b, /c"),
        ({"demo": True}, "the demo, Pocket Moshi"),
    ],
)
def test_where_a_model_comes_from_in_words(options, said):
    assert sources(CheckpointOptions(**options)) == said


def test_a_checkpoint_that_is_named_is_taken(recorded, checkpoint):
    recording = recorded(checkpoint={"model_dir": "/nowhere"})
    assert run(recording, CheckpointOptions(model_dir=checkpoint)).same
    with pytest.raises(MoshiTuiError, match="/nowhere"):
        run(recording)
    del recording.header["checkpoint"]
    with pytest.raises(MoshiTuiError, match="does not say") as caught:
        run(recording)
    assert "--model-dir" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("user", (0, 0), 32), "user's codes from 0 to 32"),
        (changed("user", (0, 0), -1), "user's codes from -1"),
        (changed("moshi", (0, 0), 32), "Moshi's codes"),
        (changed("text", 0, 320), "text tokens"),
        (lambda codes: replace(codes, user=codes.user[:, :3]), "3 codebooks of the user and 4"),
        (lambda codes: replace(codes, moshi=codes.moshi[:, :2]), "2 of Moshi"),
    ],
)
def test_codes_of_another_model_are_refused(recorded, change, said):
    with pytest.raises(MoshiTuiError, match=f"Another model.*{said}") as caught:
        run(recorded(change=change))
    assert "--model" in caught.value.hint


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"sampling": {}}, "has no audio_temperature, audio_top_k"),
        ({"sampling": SAMPLED | {"text_temperature": "hot"}}, "text_temperature is 'hot'"),
        ({"sampling": SAMPLED | {"conditions": {"a": 1}}}, "conditions"),
        ({"sampling": [1]}, "sampling is"),
        ({"checkpoint": {"quant": 5}}, "quant is 5"),
        ({"checkpoint": "demo\x1b[31m"}, "checkpoint is 'demo"),
        ({"frames": {"first": "none"}}, "numbers of its frames"),
        ({"checkpoint": {"model_dir": "model"}}, "model_dir is 'model', not from the root"),
        ({"checkpoint": {"model_dir": "~/model"}}, "not from the root"),
        ({"checkpoint": {"hf_repo": "../x"}}, "--hf-repo ../x"),
        ({"checkpoint": {"hf_repo": "a/b", "voice": "moshika"}}, "checkpoint: --voice chooses"),
    ],
)
def test_a_damaged_header_is_told(recorded, header, said):
    recording = recorded(runs=((7, 2),))
    recording.header.update(header)
    with pytest.raises(MoshiTuiError, match="Damaged recording") as caught:
        run(recording)
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda codes: replace(codes, text=codes.text[:3]),
        lambda codes: replace(codes, text=codes.text.astype(float)),
        lambda codes: replace(codes, user=codes.user[:, 0]),
    ],
)
def test_damaged_codes_are_told(recorded, change):
    with pytest.raises(MoshiTuiError, match=r"Damaged recording.*its codes have"):
        run(recorded(runs=((7, 5),), change=change))


def test_it_stops_in_the_middle_of_a_run(recorded):
    steps = []
    with pytest.raises(Cancelled):
        rerun(recorded(), None, lambda *at: steps.append(at), [].append, lambda: len(steps) > 20)


def test_the_command_prints_the_report(recorded, capsys):
    talk = recorded()
    assert command.run_model(talk.folder, None) == 0
    said = capsys.readouterr()
    model = talk.header["checkpoint"]["model_dir"]
    assert said.err == f"moshi-tui: the recording names its model: {model}\n"
    out = said.out.splitlines()
    assert out[0].endswith("model.safetensors")
    assert out[1].startswith("35 of 35 steps equal (35 text tokens, 35 frames of 4 codes), ")
    assert out[1].endswith(" times real time")
    other = recorded(change=changed("text", 25, 3), packages={"mlx": "0\x1b[31m.1"})
    assert command.run_model(other.folder, None) == 1
    said = capsys.readouterr()
    assert "first difference at step 5" in said.out
    assert "moshi-tui: another MLX: recorded with 0.1" in said.err


def test_an_error_of_the_thread_is_the_command_s(recorded):
    with pytest.raises(MoshiTuiError, match="/nowhere"):
        command.run_model(recorded(checkpoint={"model_dir": "/nowhere"}).folder, None)


def test_ctrl_c_ends_it(recorded, monkeypatch, capsys):
    ended = []

    def long_run(recording, options, tell, warn, stopping):
        while not stopping():
            time.sleep(0.001)
        ended.append(threading.current_thread().name)
        raise Cancelled

    monkeypatch.setattr("moshi_tui.replay.rerun.rerun", long_run)
    monkeypatch.setattr(command._Run, "_show", lambda run: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        command.run_model(recorded(runs=((7, 1),)).folder, None)
    assert ended == ["inference"]
    assert capsys.readouterr().out == ""


def test_an_unexpected_error_is_told(recorded, monkeypatch):
    monkeypatch.setattr("moshi_tui.replay.rerun.rerun", lambda *all: 1 // 0)
    with pytest.raises(MoshiTuiError, match="ZeroDivisionError"):
        command.run_model(recorded(runs=((7, 1),)).folder, None)


def test_many_gaps_are_told_in_a_line():
    gaps = tuple(Gap(3600.0 * n, 2, "so") for n in range(8))
    lines = list(Comparison("m", 9, 9, 9, 9, 8, None, gaps, 0.36).lines())
    assert lines[1].endswith("2.0 times real time")
    assert lines[3] == "2 steps from 1:00:00.000 on not compared: so"
    assert lines[-1] == "6 steps in 3 more places not compared"
