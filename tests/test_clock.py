import pytest

from moshi_tui.clock import clock


@pytest.mark.parametrize(
    ("seconds", "decimals", "said"),
    [
        (0.0, 0, "00:00"),
        (59.999, 0, "00:59"),
        (65.0, 0, "01:05"),
        (3723.5, 0, "1:02:03"),
        (3723.59, 1, "1:02:03.5"),
        (0.29, 3, "00:00.290"),
        (3599.999, 3, "59:59.999"),
        (1234.567, 3, "20:34.567"),
    ],
)
def test_a_moment_is_told_in_hours_minutes_and_seconds(seconds, decimals, said):
    assert clock(seconds, decimals) == said


def test_every_millisecond_of_an_hour_is_told_as_it_is():
    for ms in range(0, 3_600_000, 997):
        minutes, rest = divmod(ms, 60_000)
        assert clock(ms / 1000, 3) == f"{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
