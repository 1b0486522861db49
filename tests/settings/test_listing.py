import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.config import OPTIONS, SECTIONS, build
from moshi_tui.model import Generator
from moshi_tui.settings import file
from moshi_tui.settings.layers import Given, merge
from moshi_tui.settings.listing import show, template

PATH = Path("/somewhere/config.toml")
IN_FILE = [option for option in OPTIONS if option.about.in_file]


def parsed(text):
    return file.tables(text, PATH)


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
names = words.filter(str.strip)


def values(option):
    about = option.about
    if option.kind == "bool":
        found = st.booleans()
    elif about.choices:
        found = st.sampled_from(about.choices)
    elif option.kind == "int":
        found = st.integers(int(about.low), int(about.high))
    elif option.kind == "float":
        found = st.floats(about.low, about.high, allow_nan=False, allow_infinity=False)
    elif option.kind == "Path":
        found = words.map(lambda name: Path("/folder") / name)
    elif option.kind == "dict[str, str]":
        found = st.dictionaries(names, names, max_size=3)
    else:
        found = names.filter(lambda name: name != about.unset)
    return found


layers = st.fixed_dictionaries({}, optional={each.key: values(each) for each in IN_FILE})


@given(layers)
def test_what_is_shown_gives_the_same_settings_as_a_file(chosen):
    merged = merge({key: Given(value, "--some-flag") for key, value in chosen.items()})
    text = show(merged, PATH)
    assert text.replace("\n", "").isprintable()
    layer = file.check(file.tables(text, PATH), PATH)
    # The layers' rules about sources need not hold within one layer.
    assert build({key: said.value for key, said in layer.items()}) == merged.settings


def test_everything_is_shown_with_its_origin():
    merged = merge(
        {"checkpoint.quant": Given(None, "--quant"), "audio.input_file": Given(Path("a"), "--in")},
        {"audio.volume_db": Given(-3.0, "MOSHI_TUI_VOLUME")},
        {"screen.theme": Given("light", "config.toml")},
    )
    lines = show(merged, PATH).splitlines()
    assert lines[0] == "# /somewhere/config.toml (not there yet)"
    assert 'quant = "bf16"  # --quant' in lines
    assert "volume_db = -3.0  # MOSHI_TUI_VOLUME" in lines
    assert 'theme = "light"  # config.toml' in lines
    assert "ascii = false  # default" in lines
    assert "#model_dir =  # not set" in lines
    assert "#text_temperature =  # default: the checkpoint's own, else 0.7" in lines
    assert "#record_folder =  # default: the current folder" in lines
    assert "#output_file =  # not set; not for the file" in lines
    assert "#demo = false  # default; not for the file" in lines
    assert f'#input_file = "{Path("a").absolute()}"  # --in; not for the file' in lines
    for option in OPTIONS:
        assert f"# {option.about.in_words or option.about.help}" in lines
        assert any(line.lstrip("#").startswith(f"{option.name} =") for line in lines)


def test_a_new_file_says_nothing_until_a_mark_is_taken_away():
    text = template()
    assert all(table == {} for table in parsed(text).values())
    assert set(parsed(text)) == set(SECTIONS)
    layer = file.check(parsed(text.replace("\n#", "\n").replace("\n ", "\n# ")), PATH)
    assert set(layer) == {option.key for option in IN_FILE}
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_new_file_speaks_of_a_file_and_not_of_flags():
    for word in ("DIR", "may be repeated", "remembered", "the same for sound"):
        assert word not in template()


def test_the_defaults_that_are_shown_are_those_of_the_model():
    shown = {option.name: option.about.otherwise.rpartition(" ")[2] for option in OPTIONS}
    for name, parameter in inspect.signature(Generator).parameters.items():
        if name in ("text_temperature", "text_top_k", "audio_temperature", "audio_top_k"):
            assert shown[name] == str(parameter.default)


@pytest.mark.parametrize("option", IN_FILE, ids=lambda option: option.key)
def test_a_new_file_offers_the_default_or_an_example(option):
    if option.default in (None, {}):
        assert option.about.example not in (None, {})
    else:
        assert option.about.example is None
