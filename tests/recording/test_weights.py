import hashlib

import pytest

from moshi_tui.recording.weights import describe_weights

MB = 1 << 20


def test_they_are_known_by_size_beginning_and_end(tmp_path):
    path = tmp_path / "model.safetensors"
    data = bytearray(range(256)) * (3 * MB // 256)
    path.write_bytes(data)
    found = describe_weights(path)
    expected = hashlib.sha256(len(data).to_bytes(8, "little") + data[:MB] + data[-MB:])
    fingerprint = expected.hexdigest()[:16]
    assert found == {"file": path.name, "bytes": 3 * MB, "fingerprint": fingerprint}
    for changed in (0, MB - 1, 2 * MB, 3 * MB - 1):
        path.write_bytes(data[:changed] + b"\x55\xaa"[changed % 2 :][:1] + data[changed + 1 :])
        assert describe_weights(path)["fingerprint"] != fingerprint
    path.write_bytes(data + b"x")
    assert describe_weights(path)["fingerprint"] != fingerprint


@pytest.mark.parametrize("size", [0, 1, MB, MB + 1])
def test_small_files_have_a_fingerprint_too(tmp_path, size):
    path = tmp_path / "small"
    path.write_bytes(bytes(size))
    assert len(describe_weights(path)["fingerprint"]) == 16
