from dataclasses import replace
from pathlib import Path

from moshi_tui.config import CheckpointOptions, SamplingOptions, Settings
from moshi_tui.session.events import SessionInfo
from moshi_tui.session.heading import Moment, Talk, heading
from moshi_tui.session.stats import Stats
from tests.recording.made import HEADER
from tests.session.stand_ins import EarSink, HandSource, parts

INFO = SessionInfo("m", "q4", "CPU", "pocket", "mic", "ear", 1)
USED = {"text_temperature": 0.7, "text_top_k": 3, "audio_temperature": 0.8, "audio_top_k": 250}


def head(settings=None, **changed):
    given = replace(parts(), sampling=USED, **changed)
    talk = Talk(INFO, given, HandSource(), EarSink(), Stats)
    return heading(settings or Settings(), talk, Moment.of(talk, 5, 3.0))


def test_it_says_what_is_in_use():
    made = head(Settings(sampling=SamplingOptions(text_top_k=4, conditions={"a": "b"})))
    assert made["sampling"] == {**USED, "conditions": {"a": "b"}}
    assert (made["seed"], made["volume_db"]) == (1, 3.0)
    assert made["devices"] == {"input": "hand", "output": "ear"}
    assert made["rates"] == {"input": None, "output": None}
    assert made["frames"]["first"] == 5
    recorders = {"type", "schema", "started", "audio", "codes", "microphone"}
    assert set(made) | recorders == set(HEADER)


def test_it_has_what_loads_the_same_checkpoint_again(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    chosen = CheckpointOptions(quant=4, voice="moshika", model_dir=Path("models"), demo=False)
    made = head(Settings(checkpoint=chosen))
    models = str(tmp_path / "models")
    assert made["checkpoint"] == {"quant": 4, "voice": "moshika", "model_dir": models}
    assert head()["checkpoint"] == {}


def test_it_says_what_was_loaded_and_reads_no_weights(tmp_path):
    files = type(parts().files)(moshi=tmp_path / "gone")
    assert head(files=files)["weights"] is None
    assert head(files=files, weights=HEADER["weights"])["weights"] == HEADER["weights"]
