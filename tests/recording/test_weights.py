import hashlib

import pytest

from moshi_tui.recording.weights import describe_weights

MB = 1 << 20


def test_they_are_known_by_size_and_by_parts_of_all_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    data = bytearray(range(256)) * (8 * MB // 256)
    path.write_bytes(data)
    found = describe_weights(path)
    fingerprint = found["fingerprint"]
    assert found == {"file": path.name, "bytes": 8 * MB, "fingerprint": fingerprint}
    assert describe_weights(path) == found
    part = (8 * MB - (1 << 16)) // 63
    for changed in (0, 30 * part + 100, 62 * part + 100, 8 * MB - 1):
        other = bytearray(data)
        other[changed] ^= 0xFF
        path.write_bytes(other)
        assert describe_weights(path)["fingerprint"] != fingerprint
    path.write_bytes(data + b"x")
    assert describe_weights(path)["fingerprint"] != fingerprint


def test_of_a_small_file_all_counts(tmp_path):
    path = tmp_path / "small"
    data = bytes(range(256)) * 400
    path.write_bytes(data)
    expected = hashlib.sha256(len(data).to_bytes(8, "little") + data).hexdigest()[:16]
    assert describe_weights(path)["fingerprint"] == expected


@pytest.mark.parametrize("size", [0, 1, MB, MB + 1])
def test_small_files_have_a_fingerprint_too(tmp_path, size):
    path = tmp_path / "small"
    path.write_bytes(bytes(size))
    assert len(describe_weights(path)["fingerprint"]) == 16
