from moshi_tui.recording.totals import Totals


def totals_of(*records):
    totals = Totals()
    for record in records:
        totals.add(record)
    return totals.record()


def text(words, *, begins=False):
    return {"type": "text", "text": words, "begins": begins}


def test_words_are_counted_over_the_pieces_that_they_come_in():
    pieces = (text(" Hel", begins=True), text("lo"), text(" you,"), text(" there "), text("so"))
    found = totals_of(*pieces, text(""), text("on", begins=True))
    assert (found["pieces"], found["words"]) == (7, 5)


def test_everything_is_added_up():
    found = totals_of(
        {"type": "header"},
        {"type": "user_stop", "seconds": 1.2},
        {"type": "user_stop", "seconds": 0.4},
        {"type": "skip", "side": "user", "kind": "silence", "ms": 80.0},
        {"type": "skip", "side": "moshi", "kind": "speed", "ms": 1.5},
        {"type": "skip", "side": "moshi", "kind": "speed", "ms": 2.0},
        {"type": "underrun", "ms": 42.0},
    )
    assert (found["turns"], found["spoken_s"]) == (2, 1.6)
    assert (found["underruns"], found["underrun_ms"]) == (1, 42.0)
    assert found["skips"]["user_silence_ms"] == 80.0
    assert found["skips"]["moshi_speed_ms"] == 3.5
    assert found["skips"]["moshi_speech_ms"] == 0.0
