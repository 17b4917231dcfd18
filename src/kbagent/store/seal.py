"""A checksum inside a manifest: a manifest with a flipped bit must not speak for other files.

It finds accidents, not forgers. A manifest without one is taken as it is: it was written by an
earlier version.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

SEAL = "checksum"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its checksum.

    >>> sealed({"rows": 3})
    {'rows': 3, 'checksum': 1221473736}
    """
    return {**content, SEAL: _checksum(content)}


def unsealed(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """The content without its checksum; None when it is not what was sealed.

    >>> unsealed({"rows": 3, "checksum": 1221473736}), unsealed({"rows": 2, "checksum": 1221473736})
    ({'rows': 3}, None)
    """
    rest = {name: value for name, value in content.items() if name != SEAL}
    return rest if SEAL not in content or content[SEAL] == _checksum(rest) else None


def _checksum(content: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())
