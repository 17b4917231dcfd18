"""Reading a page without a browser: its elements, its texts, and what it would load."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A page taken apart; `unclosed` holds what a sound page has none of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.unclosed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID and self.get_starttag_text()[-2:] != "/>":
            self.unclosed.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.unclosed and self.unclosed.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.texts.append((self.unclosed[-1] if self.unclosed else "", data))

    @property
    def text(self) -> str:
        """All that a reader sees, and the titles of charts."""
        return " ".join(data for tag, data in self.texts if tag != "style")

    @property
    def outside(self) -> list[str]:
        """Whatever it would load or run from elsewhere than itself."""
        found = [
            f"{tag} {name}={value}"
            for tag, name, value in self.attributes
            if name.startswith("on") or name in ("src", "href", "srcset", "action", "style")
        ]
        style = " ".join(data for tag, data in self.texts if tag == "style")
        found += [one for one in re.findall(r"url\([^)]*\)", style) if one != "url(#hatch)"]
        return found + re.findall(r"https?:|//[a-z]|@import|expression\(|javascript:", style)

    def ids(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "id"]
