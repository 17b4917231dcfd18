"""Writing TOML that people edit: strings in which nothing can act upon a terminal.

Reading is the standard library's (`tomllib`); it writes none. Only strings are written here.
"""


def quoted(text: str) -> str:
    """A TOML string on one line; whatever a terminal might act upon is escaped.

    >>> print(quoted('say "hi" \\x1b'))
    "say \\"hi\\" \\u001B"
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def paragraph(text: str) -> str:
    """A TOML string over several lines, line breaks as they are; on one line where it has none.

    >>> print(paragraph('one' + chr(10) + 'two'))
    \"\"\"
    one
    two\"\"\"
    """
    if "\n" not in text:
        return quoted(text)
    lines = ("".join(map(_escaped, line)) for line in text.split("\n"))
    return '"""\n' + "\n".join(lines) + '"""'


def _escaped(letter: str) -> str:
    code = ord(letter)
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable():
        return letter
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # half a pair has no place in TOML
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
