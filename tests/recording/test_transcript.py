from moshi_tui.recording.transcript import Transcript, transcript_of
from tests.recording.made import record


def told(*records):
    return transcript_of(records).splitlines()


def skip(t, kind="silence", ms=160.0, side="user"):
    return record(t, "skip", side=side, kind=kind, ms=ms)


def test_a_stall_is_one_line():
    stall = [skip(61 + 0.1 * number) for number in range(10)]
    more = [
        skip(62.1, "speech"),
        skip(62.2, "silence", 300.0, "moshi"),
        skip(64.0, "speed", 240.0, "moshi"),
        skip(64.1, "speech", 40.0, "moshi"),
    ]
    assert told(*stall, *more) == [
        "01:01 -      Caught up 2.3 s: 1.6 s of your silence left out, 0.2 s of your speech left "
        "out, 0.3 s of Moshi's pauses left out, 0.2 s by playing Moshi faster"
    ]


def test_stalls_that_are_apart_and_those_that_never_end_are_told_again():
    apart = told(skip(1.0, ms=400.0), skip(3.0, ms=400.0), skip(5.6, ms=400.0))
    assert [line[:5] for line in apart] == ["00:01", "00:05"]
    for_ever = told(*(skip(float(second)) for second in range(150)))
    assert [line[:5] for line in for_ever] == ["00:00", "01:00", "02:00"]
    assert "9.6 s" in for_ever[0]


def test_what_is_hardly_noticed_is_not_told():
    assert told(skip(1.0), record(2.0, "underrun", ms=290.0), record(3.0, "lag")) == []


def test_underruns_are_told_together():
    underruns = [record(3600.0 + number, "underrun", ms=150.0) for number in range(4)]
    assert told(*underruns) == ["1:00:00 -      Moshi was interrupted for 0.6 s, 4 times"]
    assert told(record(1.0, "underrun", ms=700.0)) == [
        "00:01 -      Moshi was interrupted for 0.7 s"
    ]


def test_while_moshi_is_silent_for_hours_what_follows_is_settled():
    transcript = Transcript()
    transcript.add(record(1.0, "text", token=1, text=" Hey", begins=True))
    records = []
    for second in range(5, 3605, 5):
        records.append(record(float(second), "user_stop", seconds=1.0, levels=[]))
    taken = ""
    for each in records:
        transcript.add(each)
        taken += transcript.take()
        assert len(transcript.rest().splitlines()) < 8
    late = record(3606.0, "text", token=1, text=" there", begins=False)
    transcript.add(late)
    whole = taken + transcript.take() + transcript.rest()
    first = record(1.0, "text", token=1, text=" Hey", begins=True)
    assert whole == transcript_of([first, *records, late])
    assert "1:00:06 Moshi  there" in whole


def test_of_a_volume_that_is_turned_the_last_step_counts():
    steps = [record(1.0 + 0.2 * number, "volume", db=2.0 * number - 4) for number in range(3)]
    assert told(*steps, record(9.0, "volume", db=-3.0)) == [
        "00:01 -      Volume: 0 dB",
        "00:09 -      Volume: -3 dB",
    ]


def test_what_there_is_to_know_is_told_in_words():
    records = [
        record(0.5, "user_said", text="Hello."),
        record(1.0, "device", side="output", name="USB \x1b[31mred", rate=48_000),
        record(2.0, "input_end"),
        record(3.0, "notice", title="Gaps", message="Too slow.", hint="Another disk."),
        record(4.0, "end", seconds=4.0, error="disk full"),
    ]
    assert told(*records) == [
        "00:00 -      Demo user: Hello.",
        "00:01 -      Speaker: USB red",
        "00:02 -      The input is over: Moshi hears silence",
        "00:03 -      Gaps: Too slow.",
        "00:04 -      The recording ended by itself: disk full",
    ]
    assert told(record(4.0, "end", seconds=4.0, error=None)) == []


def test_a_stall_that_goes_on_can_still_change():
    transcript = Transcript()
    for number in range(20):
        transcript.add(skip(float(number)))
        assert transcript.take() == ""
    assert "3.2 s" in transcript.rest()
    transcript.add(record(30.0, "lag"))
    assert "3.2 s" in transcript.take()
    assert transcript.rest() == ""


def said(t, text, *, begins=False):
    return record(t, "text", token=1, text=text, begins=begins)


def test_what_is_said_for_long_goes_on_in_another_line():
    sentences = [said(0.5 * number, " No" if number % 5 else " Yes.") for number in range(50)]
    assert told(record(12.0, "mute", muted=True), *sentences) == [
        "00:00 Moshi  Yes. No No No No Yes. No No No No Yes. No No No No Yes. No No No No Yes.",
        "00:10 Moshi  No No No No Yes. No No No No Yes. No No No No Yes. No No No No Yes.",
        "00:12 -      Muted",
        "00:20 Moshi  No No No No Yes. No No No No",
    ]
    endless = told(*(said(float(t), " la" if t % 2 else "la") for t in range(70)))
    assert [line[:5] for line in endless] == ["00:00", "00:21", "00:41", "01:01"]


def test_one_who_never_pauses_does_not_keep_the_lines_back():
    transcript, taken = Transcript(), ""
    for second in range(600):
        transcript.add(said(float(second), " la"))
        taken += transcript.take()
        assert len(transcript.rest()) < 200
    assert taken.count("la") > 550
