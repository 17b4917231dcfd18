"""Text from tickets is hostile: no reader may take longer than a line of time for it."""

import pytest

from kbagent.core.verification.parts import parts
from kbagent.core.verification.reading import read
from kbagent.core.verification.signatures import stripped
from kbagent.core.verification.tried import already_tried

N = 200_000  # characters; anything quadratic would need hours


@pytest.mark.parametrize(
    "text",
    [
        " " * N + "x",
        "\n" * N + "x",
        "\n " * (N // 2) + "x",
        "." * N + "x",
        "a" * N,
        "1." * (N // 2),
        "have " * (N // 5),
        "version " * (N // 8),
        "> " * (N // 2),
        "- " * (N // 2),
        "-\n" * (N // 2),
        "also " * (N // 5),
        "=cmd|' /C calc'!A0\x1b[31m[bold]<script>" * (N // 40),
    ],
    ids=lambda text: repr(text[:6]),
)
def test_any_text_is_read_in_linear_time(text):
    assert stripped(text).strip() == stripped(text)
    assert len(parts(text)) >= 1
    assert read(text, products=["Mail"]).products == ()
    assert already_tried(text, ["Restart the router"]) == ()
