"""Text from the user's own editor."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from kbagent.errors import UsageError


def edited(template: str, *, suffix: str = ".txt") -> str:
    """What is left of `template` when the user closes $VISUAL, $EDITOR or vi.

    Raises:
        UsageError: the editor cannot be started or reports a failure.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="kbagent-") as folder:
        path = Path(folder) / f"draft{suffix}"
        path.write_text(template, encoding="utf-8")
        try:
            subprocess.run([*command, str(path)], check=True)  # noqa: S603 -- the user's own editor
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(
                what=f"The editor '{command[0]}' did not work ({error}). Set EDITOR, or give the"
                " text as an argument or with --file."
            ) from error
        return path.read_text(encoding="utf-8", errors="replace")
