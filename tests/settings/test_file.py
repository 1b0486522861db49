import os

import pytest

from moshi_tui import paths
from moshi_tui.errors import MoshiTuiError
from moshi_tui.settings import file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[checkpoint]\nquant 4\n", "line 2, column 7: expected '='"),
        ("[checkpoint\n", "line 1, column 12: expected ']'"),
        ("[audio]\nvolume_db = 1\nvolume_db = 2\n", "line 3, column 14: cannot overwrite"),
        ("[checkpoint]\nquantt = 4\n", "no key 'quantt' in [checkpoint]; did you mean quant?"),
        ("[checkpoint]\nhf-repo = 'a/b'\n", "no key 'hf-repo' in [checkpoint]; did you mean hf_r"),
        ("[audio]\nvolume = 3\n", "no key 'volume' in [audio]; did you mean volume_db?"),
        ("[audio]\ntheme = 'dark'\n", "no key 'theme' in [audio]; it belongs in [screen]"),
        ("[audio]\nthem = 'dark'\n", "did you mean theme in [screen]?"),
        ("[recording]\nzzzzz = 1\n", "there are record, record_folder"),
        ("quant = 4\n", "quant stands outside the sections; it belongs in [checkpoint]"),
        ("zzzzz = 4\n", "there are [checkpoint], [sampling]"),
        ("screen = 4\n", "screen is a section: write [screen]"),
        ("[checkpiont]\nquant = 4\n", "no section [checkpiont] (did you mean checkpoint?)"),
        ("[zzzzz]\n", "no section [zzzzz]; there are [checkpoint]"),
        ("[checkpoint]\nquant = 5\n", "[checkpoint] quant: expected 4, 8 or bf16, found 5"),
        ("[checkpoint]\nquant = 4.0\n", "found 4.0"),
        ("[checkpoint]\nquant = true\n", "found true"),
        ("[checkpoint]\nquant = '4'\n", 'found "4"'),
        ("[checkpoint]\nquant = [4]\n", "found [4]"),
        ("[checkpoint]\nmodel_dir = ''\n", "expected a path"),
        ("[checkpoint]\nmodel_dir = '~nobody-of-this-name/x'\n", "expected a path"),
        ('[checkpoint]\nmodel_dir = "a\\u0000"\n', "expected a path"),
        ("[checkpoint]\nhf_repo = 3\n", "expected a text, found 3"),
        ("[checkpoint]\ndemo = true\n", "use --demo or MOSHI_TUI_DEMO"),
        ("[audio]\ninput_file = 'x'\n", "use --input or MOSHI_TUI_INPUT"),
        ("[audio]\ninput_device = 1.5\n", "expected a text"),
        ("[audio]\nvolume_db = 'loud'\n", "expected a number from -40 to 12"),
        ("[audio]\nvolume_db = nan\n", "found nan"),
        ("[audio]\nvolume_db = true\n", "found true"),
        ("[sampling]\nseed = 4294967296\n", "from 0 to 4294967295"),
        ("[sampling]\nconditions = { a = 1 }\n", "expected a table like {"),
        ("[sampling]\nconditions = 'a=b'\n", "expected a table like {"),
        ("[sampling]\ntext_temperature = 1979-05-27\n", "found datetime"),
        ("[screen]\nascii = 1\n", "[screen] ascii: expected true or false, found 1"),
        ("[screen]\ntheme = 'pink'\n", "expected dark, light or contrast"),
        ("x = " + "[" * 5000, "nested too deep"),
        (b"[screen]\n# \xff\n", "byte 12 is no UTF-8"),
        ("[sampling]\nseed = " + "9" * 5000, "a number has too many digits"),
        ("[sampling]\nseed = 0x" + "f" * 5000, "found a number of too many digits"),
        ("[sampling]\nseed = [0x" + "f" * 5000 + "]", "found a number of too many digits"),
        ("[audio]\nvolume_db = " + "9" * 400, "expected a number from -40 to 12"),
        ("[audio]\ninput_device = 0x" + "f" * 5000, "found a number of too many digits"),
    ],
)
def test_a_mistake_is_said_with_its_place(text, said, tmp_path):
    path = tmp_path / "my settings.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MoshiTuiError) as error:
        file.read(path)
    assert str(path) in error.value.message
    assert said in error.value.message
    assert error.value.hint == f"Mend it: moshi-tui --config '{path}' config edit"


def test_no_escape_sequence_of_a_file_reaches_the_terminal(tmp_path):
    path = tmp_path / "config.toml"
    for text in (
        '"\\u001b[2J" = 1',
        '[screen]\n"\\u001b[2J" = 1',
        '[screen]\ntheme = "\\u001b[2J\\u009b"',
        '["\\u001b[2J"]',
        '[sampling]\nconditions = { "\\u001b" = 1 }',
    ):
        path.write_text(text)
        with pytest.raises(MoshiTuiError) as error:
            file.read(path)
        assert str(error.value).replace("\n", "").isprintable()


def test_the_hint_for_the_usual_file_is_short():
    path = paths.config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[")
    try:
        with pytest.raises(MoshiTuiError) as error:
            file.read(path)
    finally:
        path.unlink()
    assert error.value.hint == "Mend it: moshi-tui config edit"


def test_a_file_may_be_empty_missing_or_begin_with_a_mark(tmp_path):
    path = tmp_path / "config.toml"
    assert file.read(path) == {}
    path.write_text("\n# nothing\n")
    assert file.read(path) == {}
    path.write_bytes(b"\xef\xbb\xbf[screen]\r\nascii = true\r\n")
    assert file.read(path)["screen.ascii"].value is True


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(MoshiTuiError, match="Is a directory"):
        file.read(tmp_path)
    locked = tmp_path / "locked.toml"
    locked.touch()
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(MoshiTuiError, match="Permission denied"):
        file.read(locked)
