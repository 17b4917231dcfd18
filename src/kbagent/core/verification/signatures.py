r"""What somebody wrote, without greeting, signature, quoted replies and legal notices.

Used as a correction when an issue is not recognised: what surrounds the problem hides it. Only
takes away; never rewrites. Knows English, German, French and Spanish turns of mail.
"""

import re

MOST_SIGNATURE_LINES = 12  # a signature is short; what is longer is text
_DELIMITER = re.compile(r"^(?:--\s?|_{5,}|-{5,}|\*{5,})$")
_REPLY_HEAD = re.compile(
    r"""^(?:
        -{2,}\s*(?:original\ message|forwarded\ message|urspr\w+\ nachricht|message\ d'origine).*
      | (?:on|am|le|el)\b.{4,120}\b(?:wrote|schrieb|a\ écrit|escribió)\s*.{0,80}:
      | (?:from|von|de)\s*:\s*\S.{0,160}@.{0,80}
    )\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOSING = re.compile(
    r"""^(?:(?:best|kind|warm|many)?\s*regards|best(?:\ wishes)?|cheers|sincerely(?:\ yours)?
      | yours(?:\ (?:sincerely|truly|faithfully))?|(?:many\ )?thanks?(?:\ (?:a\ lot|again|so\ much
      | in\ advance|you))*(?:\ (?:and|&)\ (?:best|kind)?\s*regards)?
      | mit\ freundlichen\ gr(?:ü|ue)(?:ß|ss)en|(?:viele|beste|liebe)\ gr(?:ü|ue)(?:ß|ss)e|mfg
      | cordialement|bien\ à\ vous|saludos(?:\ cordiales)?|atentamente)
      \s*[,.!]*$""",
    re.VERBOSE | re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"^(?:sent|envoyé|gesendet|von meinem|get outlook)\b.{0,60}"
    r"\b(?:from|iphone|ipad|android|mobile|outlook|mail|gesendet|depuis)\b.{0,60}$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|hallo|guten (?:tag|morgen)|"
    r"sehr geehrte\w*|bonjour|hola)\b[^.!?:;\n]{0,40}[,!.:]?$",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"\b(?:this (?:e-?mail|message)\b.{0,80}\bconfidential|intended (?:only|solely) for\b.{0,60}"
    r"\b(?:use|recipient|addressee|individual)|if you (?:are not|have received)\b.{0,60}"
    r"\b(?:intended recipient|in error)|diese e-?mail enthält vertrauliche)",
    re.IGNORECASE,
)


def stripped(text: str) -> str:
    r"""`text` without boilerplate; the text itself, trimmed, when nothing else would be left.

    Goes from the first reply head or signature delimiter to the end; lines that begin with
    `>`; a greeting in the first line; a closing within the last lines, with all after it; and
    paragraphs that read like a legal notice. Time is linear in the length of the text.

    >>> stripped("Hi team,\nMail is stuck.\n\nBest regards,\nJo\n+44 20 7946 0000")
    'Mail is stuck.'
    >>> stripped("Still broken\n\nOn Mon, 4 Mar 2024, Support wrote:\n> try again")
    'Still broken'
    """
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for line in _before_reply(lines) if not line.lstrip().startswith(">")]
    kept = _without_closing(_without_greeting(kept))
    paragraphs = re.split(r"\n\s*\n", "\n".join(kept))
    body = "\n\n".join(p.strip("\n") for p in paragraphs if p.strip() and not _NOTICE.search(p))
    return body.strip() or text.strip()


def _before_reply(lines: list[str]) -> list[str]:
    for i, line in enumerate(lines):
        short = line.strip()[:300]
        if _REPLY_HEAD.match(short):
            return lines[:i]
        if _DELIMITER.match(short) and 0 < len(lines) - i - 1 <= MOST_SIGNATURE_LINES:
            return lines[:i]
    return lines


def _without_greeting(lines: list[str]) -> list[str]:
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is not None and _GREETING.match(lines[first].strip()[:120]):
        return lines[first + 1 :]
    return lines


def _without_closing(lines: list[str]) -> list[str]:
    start = max(0, len(lines) - MOST_SIGNATURE_LINES)
    for i in range(start, len(lines)):
        short = lines[i].strip()[:120]
        if _CLOSING.match(short) or _SENT_FROM.match(short):
            return lines[:i]
    return lines
