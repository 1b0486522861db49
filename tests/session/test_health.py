from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moshi_tui.session.health import Health, Late, SlowWatch, health, slow_notice, too_late
from moshi_tui.session.stats import Stats


def stats(step: float | None = 54.0, **more: float) -> Stats:
    numbers = {"elapsed_s": 60.0, "lag_ms": 180.0, "encode_ms": 21.0, "decode_ms": 23.0} | more
    return Stats(step_ms=step, **numbers)  # type: ignore[arg-type]


def line(now: Stats) -> str:
    return Health().judge(now)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (54, ""),
        (80, ""),
        (82, ""),
        (84, "model 84 ms a frame, 4 over budget: skipping 1 frame in 21"),
        (96.3, "model 96 ms a frame, 16 over budget: skipping 1 frame in 6"),
        (100, "model 100 ms a frame, 20 over budget: skipping 1 frame in 5"),
        (130, "model 130 ms a frame, 50 over budget: skipping 2 frames in 5"),
        (160, "model 160 ms a frame, 80 over budget: skipping 1 frame in 2"),
        (240, "model 240 ms a frame, 160 over budget: skipping 2 frames in 3"),
        (400, "model 400 ms a frame, 320 over budget: playing 1 frame in 5"),
        (7700, "model 7.7 s a frame, budget 80 ms: playing 1 frame in 96"),
    ],
)
def test_a_slow_model(step: float, said: str) -> None:
    assert line(stats(step)) == said


def test_a_slow_codec() -> None:
    assert line(stats(encode_ms=96)) == (
        "codec's encoding 96 ms a frame, 16 over budget: skipping 1 frame in 6"
    )
    assert line(stats(decode_ms=120)) == (
        "codec's decoding 120 ms a frame, 40 over budget: skipping 1 frame in 3"
    )


@given(st.floats(0.1, 1e6))
def test_the_words_say_what_is_lost(step: float) -> None:
    said = health(stats(step), "model").split()
    frames, of = int(said[-4]), int(said[-1])
    lost = frames / of if said[-5] == "skipping" else 1 - frames / of
    assert abs(lost - max(1, step - 80) / max(81, step)) < 0.1


def test_the_slowest_is_to_blame() -> None:
    assert too_late(stats(96, encode_ms=130)) == "encode"
    assert too_late(stats(131, encode_ms=130)) == "model"
    assert too_late(stats(54, encode_ms=130, decode_ms=140)) == "decode"


def test_blame_does_not_swing_between_two_alike() -> None:
    blamed: list[Late] = [""]
    for n in range(20):
        blamed.append(too_late(stats(None, encode_ms=120 + n % 3, decode_ms=121), blamed[-1]))
    assert len(set(blamed[1:])) == 1
    assert too_late(stats(None, encode_ms=120, decode_ms=140), "encode") == "decode"


def test_who_was_to_blame_and_is_quick_again_hides_nobody() -> None:
    assert too_late(stats(78, encode_ms=84), "model") == "encode"


def test_the_edge_of_the_budget_does_not_flicker() -> None:
    judge = Health()
    said = [bool(judge.judge(stats(step))) for step in (79, 81.9, 80, 82, 80.6, 81.9)]
    assert not any(said)
    assert judge.judge(stats(82.1))
    said = [bool(judge.judge(stats(step))) for step in (81, 80.6, 82, 80.6)]
    assert all(said)
    assert not judge.judge(stats(80.4))
    assert not judge.judge(stats(81.5))


def test_the_edge_of_one_stage_is_not_that_of_another() -> None:
    assert too_late(stats(81.0), "encode") == ""


def test_catching_up() -> None:
    judge = Health()
    assert judge.judge(stats(lag_ms=499)) == ""
    assert judge.judge(stats(lag_ms=1234)) == "catching up: 1.2 s behind"
    assert judge.judge(stats(lag_ms=400)) == "catching up: 0.4 s behind"
    assert judge.judge(stats(lag_ms=349)) == ""
    assert judge.judge(stats(lag_ms=400)) == ""


def test_slow_devices_are_no_lag_to_catch_up() -> None:
    bluetooth = {"input_latency_ms": 150.0, "output_latency_ms": 250.0}
    assert line(stats(lag_ms=600, **bluetooth)) == ""
    assert line(stats(lag_ms=1000, **bluetooth)) == "catching up: 1.0 s behind"


def test_while_the_model_stalls_what_waits_tells() -> None:
    assert line(stats(backlog_frames=15)) == "catching up: 1.2 s behind"


def test_too_slow_says_more_than_behind() -> None:
    assert line(stats(100, lag_ms=700)).startswith("model 100 ms")


def test_the_start_says_little() -> None:
    assert line(stats(300, elapsed_s=2.9, lag_ms=900)) == ""
    assert line(Stats()) == ""
    assert line(Stats(elapsed_s=60)) == ""


def test_notice() -> None:
    notice = slow_notice(stats(96), "model")
    assert notice.title == "This machine is too slow"
    assert notice.message == "the model takes 96 ms for a frame of 80 ms: skipping 1 frame in 6."
    assert notice.hint == "Close other programs, or start with --quant 4."
    assert slow_notice(stats(96), "model", smaller="").hint == "Close other programs."
    assert "7.7 s for a frame" in slow_notice(stats(7700), "model").message


def test_notice_when_the_context_has_filled() -> None:
    full = stats(96, context_frames=3000, context_size=3000)
    assert slow_notice(full, "model").hint.endswith(
        " On the screen, r begins with an empty context, which is quicker for a while."
    )


def test_a_smaller_model_does_not_help_the_codec() -> None:
    full = stats(54, decode_ms=120, context_frames=3000, context_size=3000)
    notice = slow_notice(full, "decode")
    assert notice.message.startswith("the codec's decoding takes 120 ms for a frame of 80 ms")
    assert notice.hint == "Close other programs."


def watched(*spells: tuple[float, Stats]) -> list[tuple[float, str]]:
    """What is told, and when, if it is so for so many seconds, one after the other."""
    watch, told, now = SlowWatch(), [], 0.0
    for seconds, numbers in spells:
        for _ in range(round(seconds)):
            now += 1.0
            notice = watch.look(numbers, now)
            if notice is not None:
                told.append((now, notice.title.split()[0]))
    return told


def test_a_busy_moment_is_not_told() -> None:
    assert watched((20, stats()), (3, stats(encode_ms=90)), (20, stats())) == []


def test_what_stays_too_slow_is_told_once_and_again_when_it_keeps_up() -> None:
    told = watched((20, stats()), (100, stats(encode_ms=90)), (20, stats()))
    assert told == [(24.0, "This"), (126.0, "Keeping")]


def test_it_is_not_told_again_within_a_minute() -> None:
    slow = stats(120)
    told = watched((10, slow), (10, stats()), (10, slow), (90, stats()), (10, slow))
    assert [what for _, what in told] == ["This", "Keeping", "This"]
    assert told[2][0] > 120


@pytest.mark.parametrize(
    "trouble",
    [{"recording_error": "disk full"}, {"microphone_lost": "Gone."}, {"speaker_lost": "Gone."}],
)
def test_other_trouble_does_not_make_a_slow_machine_keep_up(trouble: dict[str, str]) -> None:
    slow = stats(120)
    told = watched((10, slow), (30, replace(slow, **trouble)))  # type: ignore[arg-type]
    assert told == [(4.0, "This")]


def test_the_notice_is_about_the_stage_that_was_judged() -> None:
    watch = SlowWatch()
    for now in range(4):
        notice = watch.look(stats(28, encode_ms=90), float(now))
    assert notice is not None
    assert notice.message.startswith("the codec's encoding takes 90 ms")


def test_what_was_slow_before_a_device_was_lost_is_so_at_the_same_threshold() -> None:
    judge = Health()
    assert judge.judge(stats(90))
    assert "gone" in judge.judge(replace(stats(90), speaker_lost="It stopped."))
    assert judge.judge(stats(81)).startswith("model 81 ms")


def test_a_model_that_does_not_answer_is_named() -> None:
    health = Health()
    stats = Stats(elapsed_s=60.0, step_ms=55.0, lag_ms=130.0)
    assert health.judge(replace(stats, stalled_ms=400.0)) == ""
    told = health.judge(replace(stats, stalled_ms=1900.0, backlog_frames=24.0, lag_ms=1920.0))
    assert told == "the model has not answered for 1.9 s"
    assert "catching up" in health.judge(replace(stats, lag_ms=1920.0))
    # A step that is always long is no stall.
    slow = replace(stats, step_ms=400.0, stalled_ms=900.0)
    assert health.judge(slow).startswith("model 400 ms")


def test_a_device_that_is_gone_is_told_first_and_at_once() -> None:
    gone = replace(stats(300), elapsed_s=0.5, microphone_lost="It stopped by itself.")
    assert line(gone) == "microphone is gone: it stopped by itself – d chooses another one"
    gone = replace(stats(300), speaker_lost="It was unplugged.", recording_error="disk full")
    assert line(gone) == "speaker is gone: it was unplugged – d chooses another one"


def test_a_recording_that_has_ended_hides_nothing_else() -> None:
    def said(**more: object) -> str:
        return line(replace(stats(), recording_error="disk full", **more))  # type: ignore[arg-type]

    assert said() == "not recording: disk full – free some space, then c"
    assert said(elapsed_s=0.5).startswith("not recording")
    assert said(step_ms=300.0).startswith("model 300 ms")
    assert said(silent_s=9.0).startswith("microphone is silent")
    assert said(lag_ms=1234.0).startswith("catching up")
    ended = replace(stats(), recording_error="no permission")
    assert line(ended) == "not recording: no permission – c tries again"


@pytest.mark.parametrize(
    ("platform", "words"), [("darwin", "microphone permission"), ("linux", "muted or turned down")]
)
def test_a_silent_microphone(monkeypatch: pytest.MonkeyPatch, platform: str, words: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert line(stats(silent_s=4.9)) == ""
    said = line(stats(silent_s=5.1))
    assert said.startswith("microphone is silent: ")
    assert words in said
    assert "d chooses another one" in said
    assert line(replace(stats(silent_s=99.0), muted=True)) == ""
    assert line(stats(100, silent_s=99.0)).startswith("model")


def test_an_echo_is_told_once_it_lasts_and_until_it_is_clearly_softer() -> None:
    judge = Health()

    def at(seconds: float, echo_db: float | None) -> str:
        return judge.judge(replace(stats(), elapsed_s=seconds, echo_db=echo_db))

    assert at(10, -20) == ""
    assert at(12, -20) == ""
    assert at(13.1, -20) == "Moshi hears itself: wear headphones, or play it softer with -"
    assert at(14, -36).startswith("Moshi hears itself")
    assert at(15, -39) == ""
    assert at(16, -36) == ""
    assert at(20, -36) == ""
    assert at(21, -20) == ""
    assert at(25, -20) != ""
    assert at(26, None) == ""


def test_a_model_that_hears_silence_does_not_hear_itself() -> None:
    judge = Health()
    for seconds in (10, 20):
        muted = replace(stats(), elapsed_s=seconds, echo_db=-10.0, muted=True)
        assert judge.judge(muted) == ""


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_every_line_fits_twice_sixty_columns(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    long = (
        "It could not be opened again after the sound server had been restarted by somebody. " * 3
    )
    troubles = [
        stats(96.3),
        stats(7700),
        stats(decode_ms=96),
        stats(stalled_ms=99_999.0),
        stats(lag_ms=99_999.0),
        stats(silent_s=99.0),
        replace(stats(), microphone_lost=long),
        replace(stats(), speaker_lost=long),
        replace(stats(), recording_error=long),
        replace(stats(), microphone_lost="It stopped by itself; was it unplugged?"),
    ]
    for trouble in troubles:
        assert 0 < len(line(trouble)) <= 100
    assert line(troubles[6]).endswith("… – d chooses another one")
    assert "was it unplugged? – d" in line(troubles[9])
