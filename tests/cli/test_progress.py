"""How far something is, on stderr: the time left only once it can be told."""

from kbagent.cli.progress import counting


def test_the_time_left_is_told_once_a_tenth_is_done_and_without_what_went_before(capsys):
    moments = iter([0.0, 500.0, 511.0, 522.0, 600.0, 640.0])
    with counting("routing", lambda: next(moments)) as report:
        report(0, 1000)  # after 500 seconds of reading
        report(20, 1000)
        report(99, 1000)
        report(500, 1000)
        report(900, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "routing: 0 of 1,000",
        "routing: 20 of 1,000",
        "routing: 99 of 1,000",
        "routing: 500 of 1,000, about 100 s left",
        "routing: 900 of 1,000, about 16 s left",
    ]


def test_between_two_lines_some_seconds_pass(capsys):
    moments = iter([0.0, 1.0, 2.0, 11.5])
    with counting("routing", lambda: next(moments)) as report:
        for done in (0, 10, 60):
            report(done, 100)
    assert capsys.readouterr().err.splitlines() == ["routing: 60 of 100, about 7 s left"]
