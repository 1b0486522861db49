from pathlib import Path

import pytest

from moshi_tui import paths
from moshi_tui.arguments import flags, parse
from moshi_tui.config import OPTIONS, SECTIONS, Settings, build
from moshi_tui.errors import MoshiTuiError, UsageError
from moshi_tui.settings import environment
from moshi_tui.settings.layers import DISPLACES
from moshi_tui.settings.load import load

BY_KEY = {option.key: option for option in OPTIONS}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a settings file and has it read."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv(paths.CONFIG_VARIABLE, str(path))

    def write(text):
        path.write_text(text)
        return path

    write("")
    return write


def given(*options):
    return load(flags(parse([str(option) for option in options])))


def chosen(*options):
    return given(*options).settings


def value_of(settings, option):
    return getattr(getattr(settings, option.section), option.name)


def samples(option):
    """Three values for the three layers, as a person writes them, and what they mean."""
    choices = option.about.choices
    if option.kind == "bool":
        return [("true", True), ("false", False), ("true", True)]
    if choices:
        return [(str(choices[n % len(choices)]), choices[n % len(choices)]) for n in (1, 0, 1)]
    if option.kind == "int":
        return [(str(n), n) for n in (1, 2, 3)]
    if option.kind == "float":
        return [(str(n), n) for n in (0.5, 1.5, 2.0)]
    if option.kind == "Path":
        return [(f"/{name}", Path(f"/{name}")) for name in "abc"]
    if option.kind == "dict[str, str]":
        return [(f"{name}=x", {name: "x"}) for name in "abc"]
    return [(name, name) for name in ("one/a", "two/b", "three/c")]


def in_toml(option, text):
    if option.kind == "dict[str, str]":
        name, _, value = text.partition("=")
        return f'{{ {name} = "{value}" }}'
    return text if option.kind in ("int", "float", "bool") else f'"{text}"'


def as_flag(option, text):
    if option.name == "record_folder":
        return ["--record", text]
    if option.kind == "bool":
        return [option.flags[-1]]
    return [option.flags[-1], text]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_flags_beat_variables_beat_the_file_beats_defaults(option, write, monkeypatch):
    assert value_of(chosen(), option) == option.default
    from_file, from_variable, from_flag = samples(option)
    if option.about.in_file:
        write(f"[{option.section}]\n{option.name} = {in_toml(option, from_file[0])}\n")
        assert value_of(chosen(), option) == from_file[1]
        assert given().given[option.key].origin == "config.toml"
    monkeypatch.setenv(option.variable, from_variable[0])
    assert value_of(chosen(), option) == from_variable[1]
    assert given().given[option.key].origin == option.variable
    merged = given(*as_flag(option, from_flag[0]))
    assert value_of(merged.settings, option) == from_flag[1]
    assert merged.given[option.key].origin in as_flag(option, from_flag[0])


@pytest.mark.parametrize(
    "option",
    [option for option in OPTIONS if option.kind == "bool" and option.about.in_file],
    ids=lambda option: option.key,
)
def test_what_the_file_turns_on_a_flag_turns_off(option, write, monkeypatch):
    write(f"[{option.section}]\n{option.name} = true\n")
    off = option.flags[-1].replace("--", "--no-")
    assert value_of(chosen(off), option) is False
    monkeypatch.setenv(option.variable, "yes")
    assert value_of(chosen(off), option) is False
    assert value_of(chosen(off, option.flags[-1]), option) is True


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.about.unset], ids=lambda option: option.key
)
def test_what_the_file_sets_a_word_unsets(option, write, monkeypatch):
    write(f"[{option.section}]\n{option.name} = {in_toml(option, samples(option)[0][0])}\n")
    assert value_of(chosen(option.flags[-1], option.about.unset), option) is None
    monkeypatch.setenv(option.variable, option.about.unset)
    assert value_of(chosen(), option) is None
    monkeypatch.delenv(option.variable)
    write(f'[{option.section}]\n{option.name} = "{option.about.unset}"\n')
    assert value_of(chosen(), option) is None


def test_the_tree_has_one_name_for_one_thing():
    assert build({}) == Settings()
    assert {option.section for option in OPTIONS} == set(SECTIONS)
    for names in (
        [option.name for option in OPTIONS],
        [option.variable for option in OPTIONS],
        [flag for option in OPTIONS for flag in option.flags],
    ):
        assert len(names) == len(set(names))
    assert set(DISPLACES) | set().union(*DISPLACES.values()) <= set(BY_KEY)
    assert BY_KEY["checkpoint.quant"].variable == "MOSHI_TUI_QUANT"
    assert BY_KEY["audio.input_device"].variable == "MOSHI_TUI_INPUT_DEVICE"
    assert BY_KEY["recording.record_folder"].variable == "MOSHI_TUI_RECORD_FOLDER"
    assert all(len(option.about.help) <= 52 for option in OPTIONS)


WEAKER = """
[checkpoint]
quant = 4
voice = "moshika"
revision = "v1"
moshi_weight = "/weaker/model.safetensors"
mimi_weight = "/weaker/mimi.safetensors"
tokenizer = "/weaker/tokenizer.model"
lm_config = "/weaker/config.json"
"""


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--demo"], {"demo": True}),
        (["--model-dir", "/x"], {"model_dir": Path("/x")}),
        (["--hf-repo", "a/b"], {"hf_repo": "a/b"}),
        (["--hf-repo", "a/b", "--quant", "8"], {"hf_repo": "a/b", "quant": 8}),
    ],
)
def test_a_named_checkpoint_leaves_nothing_of_the_weaker_one(options, left, write):
    write(WEAKER)
    assert chosen(*options) == build({f"checkpoint.{key}": value for key, value in left.items()})


@pytest.mark.parametrize("weaker", ['hf_repo = "a/b"', 'model_dir = "/m"'])
def test_a_voice_displaces_another_source_but_not_the_precision(weaker, write):
    write(f'[checkpoint]\nquant = 4\nrevision = "v1"\nmoshi_weight = "/lm"\n{weaker}\n')
    checkpoint = chosen("--voice", "moshiko").checkpoint
    assert checkpoint == build({"checkpoint.quant": 4}).checkpoint


def test_a_model_file_leaves_the_precision_of_another_behind(write):
    write('[checkpoint]\nquant = 4\nlm_config = "/c"\nmimi_weight = "/mimi"\n')
    checkpoint = chosen("--moshi-weight", "/lm").checkpoint
    assert checkpoint.quant is checkpoint.lm_config is None
    assert checkpoint.moshi_weight == Path("/lm")
    assert checkpoint.mimi_weight == Path("/mimi")


def test_what_is_displaced_displaces_nothing(write, monkeypatch):
    write("[checkpoint]\nquant = 8\n")
    monkeypatch.setenv("MOSHI_TUI_MODEL_DIR", "/m")
    assert chosen().checkpoint.quant is None
    assert chosen("--voice", "moshika").checkpoint.quant == 8
    assert chosen("--voice", "moshika").checkpoint.model_dir is None


def test_any_choice_of_a_checkpoint_ends_a_weaker_demo(monkeypatch):
    monkeypatch.setenv("MOSHI_TUI_DEMO", "1")
    assert chosen().checkpoint.demo
    for options in (["-q", "4"], ["--tokenizer", "/t"], ["--revision", "v1"]):
        assert not chosen(*options).checkpoint.demo
    monkeypatch.setenv("MOSHI_TUI_DEMO", "0")
    monkeypatch.setenv("MOSHI_TUI_QUANT", "4")
    assert chosen().checkpoint.quant == 4


@pytest.mark.parametrize(
    ("weaker", "flag", "left"),
    [
        ('hf_repo = "kyutai/moshika-mlx-q8"', "4", {"voice": "moshika", "quant": 4}),
        ('hf_repo = "kyutai/moshika-mlx-q8"\nrevision = "v1"', "bf16", {"voice": "moshika"}),
        ('hf_repo = "kyutai/moshika-mlx-q8"', "8", {"hf_repo": "kyutai/moshika-mlx-q8"}),
        ('hf_repo = "kyutai/moshika-mlx-bf16"', "8", {"hf_repo": "kyutai/moshika-mlx-bf16"}),
        ('hf_repo = "someone/model-q8"', "4", {"hf_repo": "someone/model-q8"}),
        ('moshi_weight = "/m/model.q8.safetensors"\nlm_config = "/c"', "4", {}),
        ('moshi_weight = "/m/my.safetensors"', "4", {"moshi_weight": Path("/m/my.safetensors")}),
        ('model_dir = "/m/moshiko-mlx-q8"', "4", {}),
    ],
)
def test_bits_displace_a_weaker_model_that_has_others(weaker, flag, left, write, monkeypatch):
    write(f"[checkpoint]\n{weaker}\n")
    expected = {"quant": None if flag == "bf16" else int(flag), **left}
    wanted = build({f"checkpoint.{key}": value for key, value in expected.items()})
    assert chosen("--quant", flag) == wanted
    monkeypatch.setenv("MOSHI_TUI_QUANT", flag)
    assert chosen() == wanted


def test_a_contradiction_names_where_each_side_comes_from(write, monkeypatch):
    write('[checkpoint]\nhf_repo = "kyutai/moshika-mlx-q8"\nvoice = "moshika"\n')
    with pytest.raises(UsageError, match=r"voice \(config.toml\) .* hf_repo \(config.toml\)"):
        chosen()
    write("")
    monkeypatch.setenv("MOSHI_TUI_QUANT", "4")
    monkeypatch.setenv("MOSHI_TUI_HF_REPO", "kyutai/moshika-mlx-q8")
    with pytest.raises(UsageError, match=r"MOSHI_TUI_QUANT asks for 4 .* MOSHI_TUI_HF_REPO names"):
        chosen()
    with pytest.raises(UsageError, match=r"--model-dir and --hf-repo both"):
        chosen("--model-dir", "/m", "--hf-repo", "a/b")


def test_a_file_for_ears_and_a_device_displace_each_other(write, monkeypatch):
    write('[audio]\ninput_device = "USB"\noutput_device = 3\n')
    assert chosen().audio.output_device == "3"
    audio = chosen("--input", "a.wav").audio
    assert (audio.input_device, audio.input_file) == (None, Path("a.wav"))
    monkeypatch.setenv("MOSHI_TUI_OUTPUT", "out.wav")
    assert chosen().audio.output_device is None
    audio = chosen("--output-device", "Head").audio
    assert (audio.output_device, audio.output_file) == ("Head", None)


def test_a_layer_that_contradicts_itself_is_refused(monkeypatch):
    with pytest.raises(MoshiTuiError, match=r"--demo brings.*--quant names"):
        chosen("--demo", "--quant", "4")
    monkeypatch.setenv("MOSHI_TUI_DEMO", "true")
    monkeypatch.setenv("MOSHI_TUI_VOICE", "moshika")
    with pytest.raises(MoshiTuiError, match=r"MOSHI_TUI_DEMO brings.*MOSHI_TUI_VOICE names"):
        chosen()
    assert chosen("--quant", "bf16", "--demo").checkpoint.demo
    assert chosen("--model-dir", "/m").checkpoint.model_dir == Path("/m")


def test_greedy_is_a_flag_like_others(write):
    write("[sampling]\ntext_temperature = 0.5\naudio_top_k = 3\n")
    sampling = chosen("--greedy").sampling
    assert sampling.text_temperature == sampling.audio_temperature == 0
    assert sampling.audio_top_k == 3


def test_where_paths_begin(write, monkeypatch, tmp_path):
    folder = write(
        '[checkpoint]\nmoshi_weight = "lm"\nmimi_weight = "~/mimi"\ntokenizer = "/t"\n'
    ).parent
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("MOSHI_TUI_INPUT", "~/in.wav")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = chosen("--lm-config", "c.json", "--output", "~/out.wav")
    assert settings.checkpoint.moshi_weight == folder / "lm"
    assert settings.checkpoint.mimi_weight == Path("/home/someone/mimi")
    assert settings.checkpoint.tokenizer == Path("/t")
    assert settings.checkpoint.lm_config == Path("c.json")
    assert settings.audio.input_file == Path("/home/someone/in.wav")
    assert settings.audio.output_file == Path("/home/someone/out.wav")


def test_record_with_and_without_a_folder(write):
    write('[recording]\nrecord = true\nrecord_folder = "talks"\n')
    assert chosen("--record").recording.record_folder.name == "talks"
    assert chosen("--record", "there").recording.record_folder == Path("there")
    assert not chosen("--no-record").recording.record


def test_record_may_say_where_to_as_its_flag_does(write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    folder = write('[recording]\nrecord = "./talks"\n').parent
    recording = chosen().recording
    assert (recording.record, recording.record_folder) == (True, folder / "talks")
    monkeypatch.setenv("MOSHI_TUI_RECORD", "~/x")
    recording = chosen().recording
    assert (recording.record, recording.record_folder) == (True, Path("/home/someone/x"))
    monkeypatch.setenv("MOSHI_TUI_RECORD", "ture")
    with pytest.raises(MoshiTuiError, match=r"expected true, false or a folder like \./talks"):
        chosen()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("QUANT", "5", "expected 4, 8 or bf16"),
        ("VOICE", "moshi", "moshiko or moshika"),
        ("SEED", "-1", "from 0 to 4294967295"),
        ("SEED", "1e3", "from 0 to 4294967295"),
        ("VOLUME", "12.5", "from -40 to 12"),
        ("VOLUME", "nan", "from -40 to 12"),
        ("TEXT_TEMPERATURE", "inf", "0 or more"),
        ("ASCII", "perhaps", "true or false"),
        ("CONDITION", "a", "NAME=VALUE"),
        ("MODEL_DIR", "~nobody-of-this-name/x", "a path"),
        ("HF_REPO", " ", "a text"),
    ],
)
def test_a_wrong_variable_is_named(name, text, said, monkeypatch):
    monkeypatch.setenv(f"MOSHI_TUI_{name}", text)
    with pytest.raises(UsageError, match=said) as error:
        chosen()
    assert f"MOSHI_TUI_{name}={text}" in error.value.message
    assert "unset" in error.value.hint


def test_several_conditions_in_one_variable(monkeypatch):
    monkeypatch.setenv("MOSHI_TUI_CONDITION", "a=b=c, d=e")
    assert chosen().sampling.conditions == {"a": "b=c", "d": "e"}
    assert chosen("--condition", "x=y,z").sampling.conditions == {"x": "y,z"}


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("MOSHI_TUI_QUANT", "")
    assert chosen() == Settings()


def test_a_variable_that_nobody_knows_is_told_with_the_nearest():
    variables = {
        "MOSHI_TUI_QUNAT": "4",
        "MOSHI_TUI_CONFIG": "x",
        "MOSHI_TUI_ZZ\x1b[2J": "",
        "HOME": "/",
        "MOSHI_TUI_QUANT": "4",
    }
    assert environment.unknown(variables) == [
        "no setting MOSHI_TUI_QUNAT (did you mean MOSHI_TUI_QUANT?)",
        "no setting MOSHI_TUI_ZZ",
    ]


def test_a_settings_file_in_the_home_of_nobody(monkeypatch):
    monkeypatch.setenv(paths.CONFIG_VARIABLE, "~nobody-of-this-name/x")
    with pytest.raises(MoshiTuiError, match="MOSHI_TUI_CONFIG='~nobody-of-this-name/x'"):
        chosen()


def test_a_named_file_must_be_there_and_the_usual_one_need_not(tmp_path, monkeypatch):
    assert chosen() == Settings()
    monkeypatch.setenv(paths.CONFIG_VARIABLE, str(tmp_path / "nothing.toml"))
    with pytest.raises(MoshiTuiError, match=r"nothing\.toml") as error:
        chosen()
    assert error.value.hint.endswith("nothing.toml config edit")
