"""The command `kbagent`: a registry of commands, loaded one at a time, and the error boundary.

`--help` and shell completion read the registry only, so they start no engine. A command's module
is imported when it is run. Every error of ours becomes one message on stderr and its exit code
here and nowhere else. Never import click: Typer carries its own.
"""

import gc
import importlib
import os
import sqlite3
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from kbagent.cli.parameters import take_plainly
from kbagent.errors import ExitCode, KbagentError

_GARBAGE = 50_000  # new objects between two collections: importing the engines makes that many

DAILY = "Every day"
TEACH = "Teach and correct"
LEARN = "Learn and measure"
KEEP = "Look after"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command in the registry: its module under `kbagent.cli`, its help, its panel.

    `is_bulk`: it works for seconds or minutes on its own, and so gives way to whoever searches.
    """

    module: str
    help: str
    panel: str
    is_bulk: bool = False


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry("demo", "Show the whole loop on sample data, in under a minute.", DAILY),
    "import": Entry("import_", "Bring in cases from ticket exports.", DAILY, is_bulk=True),
    "search": Entry("search", "Find every earlier instance of a problem, and what worked.", DAILY),
    "solve": Entry("solve", "Work a problem through in steps that check themselves.", DAILY),
    "show": Entry("show", "Show a case, a resolution, an issue or a lookup in full.", DAILY),
    "worked": Entry("outcomes:worked", "Say that a resolution worked.", DAILY),
    "partly": Entry("outcomes:partly", "Say that a resolution helped, but not fully.", DAILY),
    "failed": Entry("outcomes:failed", "Say that a resolution did not work.", DAILY),
    "similar": Entry("similar", "Find what was like a stored case.", DAILY),
    "add": Entry("add", "Add one case by hand, from a file or in an editor.", TEACH),
    "link": Entry("links:link", "Say that two cases are the same issue.", TEACH),
    "unlink": Entry("links:unlink", "Take back that two cases are the same issue.", TEACH),
    "issue": Entry("issue", "See and correct which cases belong together.", TEACH),
    "resolution": Entry("resolution", "Correct which wordings are one approach.", TEACH),
    "pin": Entry("rules:pin", "Always show a resolution first for an issue.", TEACH),
    "deprecate": Entry("rules:deprecate", "Show a resolution after all others.", TEACH),
    "forbid": Entry("rules:forbid", "Never show a resolution again.", TEACH),
    "require-human": Entry(
        "rules:require_human", "Have `solve` hand something over to a person.", TEACH
    ),
    "review": Entry("review", "Decide, one key each, what kbagent is not sure of.", TEACH),
    "rules": Entry("rules:rules", "See and take back the rules that people set.", TEACH),
    "case": Entry("case", "Put a case right, or take it out.", TEACH),
    "feedback": Entry("feedback", "List, undo and import outcomes.", TEACH),
    "deviations": Entry("deviations", "See what checks caught and what they are worth.", LEARN),
    "evaluate": Entry(
        "evaluate", "Replay the past: would what worked have come first?", LEARN, is_bulk=True
    ),
    "learn": Entry(
        "learn", "Fit what outcomes and links teach; makes a candidate.", LEARN, is_bulk=True
    ),
    "policy": Entry("policy", "See, change, promote and roll back how answers are ranked.", LEARN),
    "patterns": Entry(
        "patterns", "Find what goes with what: words, times, customers, releases.", LEARN
    ),
    "emerging": Entry(
        "emerging:emerging",
        "See what is rising now, what is behind it, and what worked before.",
        LEARN,
    ),
    "release": Entry("emerging:release", "Tell of releases, and list them.", LEARN),
    "route": Entry(
        "route", "Say where a new ticket belongs, whether it may escalate, and what to ask.", LEARN
    ),
    "report": Entry(
        "report", "Show month by month whether it gets better, and what is at risk.", LEARN
    ),
    "doctor": Entry(
        "doctor", "Check everything that is stored, and mend what can be.", KEEP, is_bulk=True
    ),
    "reindex": Entry(
        "reindex", "Make the indexes, and vectors that are missing, anew.", KEEP, is_bulk=True
    ),
    "backup": Entry(
        "copies:backup", "Write a checked, compressed copy while others work.", KEEP, is_bulk=True
    ),
    "restore": Entry("copies:restore", "Bring back a backup or an exported knowledge base.", KEEP),
    "export": Entry("export", "Write out the knowledge base, for other programs.", KEEP),
    "model": Entry("model", "See or change the encoder.", KEEP),
}


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and imports only the one that is run."""

    def __init__(self, *, commands: Any = None, **attributes: Any) -> None:  # noqa: ARG002
        stubs: MutableMapping[str, Any] = {
            name: TyperCommand(name, help=entry.help, rich_help_panel=entry.panel)
            for name, entry in COMMANDS.items()
        }
        super().__init__(commands=dict(stubs), **attributes)
        take_plainly(self)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The names in the order of the registry, not of the alphabet."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """The commands under the headings of the registry."""
        name_width = max(map(len, COMMANDS))
        for panel in dict.fromkeys(entry.panel for entry in COMMANDS.values()):
            with formatter.section(panel):
                formatter.write_dl(
                    [
                        (name.ljust(name_width), entry.help)
                        for name, entry in COMMANDS.items()
                        if entry.panel == panel
                    ]
                )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that is about to run."""
        if args and args[0] in COMMANDS:
            if COMMANDS[args[0]].is_bulk and ctx.find_root().obj is _OWN_PROCESS:
                give_way()
            self.commands[args[0]] = load_command(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; each of our errors ends it with a message and its exit code."""
        try:
            return super().invoke(ctx)
        except KbagentError as error:
            _complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except sqlite3.Error as error:
            from pathlib import Path

            from kbagent.store.database import explained

            meaning = explained(error, Path("kb.db"))
            _complain(str(meaning))
            code = meaning.exit_code if isinstance(meaning, KbagentError) else ExitCode.ERROR
            raise typer.Exit(code) from None
        except UnicodeEncodeError as error:
            _complain(f"{error.object[:60]!r} holds bytes that are no UTF-8 text")
            raise typer.Exit(ExitCode.USAGE) from None
        except BrokenPipeError:
            raise  # whoever read our answer has seen enough; Typer ends quietly
        except OSError as error:
            named = f"{error.filename}: " if error.filename else ""
            _complain(f"{named}{error.strerror or error}")
            raise typer.Exit(ExitCode.ERROR) from None
        except KeyboardInterrupt:
            _complain("interrupted; what was reported done is kept")
            raise typer.Exit(130) from None


_OWN_PROCESS = object()  # the context's object where the process is ours to slow down
_NICENESS = 10  # a tenth of the processor's time that an equal would get, and all that is idle


def give_way() -> None:
    """Let other processes come first, unless `$KBAGENT_PRIORITY` is `normal`."""
    if os.environ.get("KBAGENT_PRIORITY") == "normal" or not hasattr(os, "setpriority"):
        return
    if os.getpriority(os.PRIO_PROCESS, 0) < _NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


_COMPLETION = ("install_completion", "show_completion")  # options of `kbagent` alone


def load_command(name: str) -> Any:
    """The real command behind a name of the registry."""
    module_name, _, attribute = COMMANDS[name].module.partition(":")
    module = importlib.import_module(f"kbagent.cli.{module_name}")
    command = typer.main.get_command(getattr(module, attribute or "app"))
    command.name = name
    command.params = [one for one in command.params if one.name not in _COMPLETION]
    _write_plainly(command)
    take_plainly(command)
    return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 -- Typer calls it with the value alone
    if wanted:
        from importlib.metadata import version as installed_version

        typer.echo(f"kbagent {installed_version('kbagent')}")
        raise typer.Exit


@app.callback()
def kbagent(
    *,
    version: bool = typer.Option(  # noqa: ARG001 -- its callback has told it
        False,
        "--version",
        "-V",
        callback=_tell_version,
        is_eager=True,
        help="Print the version and exit.",
    ),
    kb: str | None = typer.Option(
        None, "--kb", metavar="DIR", help="The knowledge base; also after the command."
    ),
) -> None:
    """Every earlier instance of a problem, with what worked, ranked by evidence."""
    if kb is not None:
        os.environ["KBAGENT_KB"] = kb  # what every command falls back to


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_GARBAGE)
    os.umask(0o077)  # what we write holds tickets: its owner's alone, unfinished files too
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # A ticket may hold half a surrogate pair; no screen may fail because of that.
            reconfigure(errors="backslashreplace")
    try:
        app(prog_name="kbagent", obj=_OWN_PROCESS)
    except SystemExit as ended:
        if isinstance(ended.code, int) and "onnxruntime" in sys.modules:
            _leave(ended.code)
        raise


def _leave(code: int) -> None:
    """End at once when all is written: tearing the engines down takes a quarter of a search."""
    if "coverage" in sys.modules:
        return  # it writes what it saw as the interpreter ends
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return  # whoever read us is gone; the interpreter knows how to say nothing
    os._exit(code)


def _write_plainly(command: Any) -> None:
    """Help as plain text, also of subcommands: rich takes 100 ms to load."""
    command.rich_markup_mode = None
    for subcommand in getattr(command, "commands", {}).values():
        _write_plainly(subcommand)


_LONGEST = 2_000  # characters of a complaint; every other one of ours is far below


def _complain(message: str) -> None:
    from kbagent.cli.output import visible

    if len(message) > _LONGEST:  # it quotes a foreign file: what and what to do stay
        message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
    typer.echo(f"kbagent: {visible(message)}", err=True)
