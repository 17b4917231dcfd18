"""Cuts a case's text into passages that an encoder can read whole.

Does not decide what is encoded of a case beyond its title and body, and never drops text but
beyond `MAX_PASSAGES`.
"""

from kbagent.store.encoder.session import Encoder

MAX_PASSAGES = 16  # per case; at 256 tokens about ten pages, beyond which logs repeat themselves
OVERLAP = 1 / 8  # share of a window that the next one repeats, so that no sentence is only cut
TITLE_SHARE = 1 / 4  # most of a window that the title may take
SLACK = 4  # tokens: a window's edge words may become more tokens than they were in the text
MOST_CHARACTERS_PER_TOKEN = 16  # what is read of a huge body before it is tokenised


def passages(title: str, body: str, encoder: Encoder) -> list[str]:
    """The texts to encode for one case: at least one, at most `MAX_PASSAGES`.

    One text when title and body fit into the encoder's `max_tokens`; else windows over the body
    that overlap by an eighth, each after the title. Every word of the body that lies within the
    first `MAX_PASSAGES` windows is in at least one of them.
    """
    limit = encoder.max_tokens
    title, body = _trimmed(title, body, limit)
    whole = joined(title, body, limit)
    if encoder.count_tokens([whole])[0] <= limit:
        return [whole]
    special = int(encoder.count_tokens([""])[0])
    heading = _first_tokens(title, int(limit * TITLE_SHARE), encoder)
    room = limit - special - len(encoder.spans(heading)) - SLACK
    windows = _windows(body, max(room, 1), encoder) or [""]
    return [f"{heading}\n{window}" if heading else window for window in windows[:MAX_PASSAGES]]


def joined(title: str, body: str, max_tokens: int) -> str:
    """The one text of a case that an encoder of so many tokens can read whole.

    >>> joined(" Mail lost ", "", 256), joined("Mail lost", "since Monday ", 256)
    ('Mail lost', 'Mail lost\\nsince Monday')
    """
    title, body = _trimmed(title, body, max_tokens)
    return f"{title}\n{body}" if title and body else title or body


def _trimmed(title: str, body: str, max_tokens: int) -> tuple[str, str]:
    most = MAX_PASSAGES * max_tokens * MOST_CHARACTERS_PER_TOKEN
    return title.strip(), body.strip()[:most]


def _first_tokens(text: str, count: int, encoder: Encoder) -> str:
    spans = encoder.spans(text)
    return text if len(spans) <= count else text[: spans[count - 1][1]]


def _windows(text: str, room: int, encoder: Encoder) -> list[str]:
    """Overlapping pieces of `text` of at most `room` tokens, cut between words if possible."""
    spans = encoder.spans(text)
    found: list[str] = []
    start = 0
    while start < len(spans):
        end = _word_edge(spans, text, min(start + room, len(spans)), start + room // 2)
        found.append(text[spans[start][0] : spans[end - 1][1]])
        if end == len(spans):
            break
        start = _word_edge(spans, text, max(end - int(room * OVERLAP), start + 1), start + 1)
    return found


def _word_edge(spans: list[tuple[int, int]], text: str, at: int, least: int) -> int:
    """The last token ≤ `at` that starts a word, if there is one beyond `least`; else `at`."""
    if at >= len(spans):
        return len(spans)
    for edge in range(at, max(least, at - 32), -1):
        if spans[edge][0] > spans[edge - 1][1] or text[spans[edge][0]].isspace():
            return edge
    return at
