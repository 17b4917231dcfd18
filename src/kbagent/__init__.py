"""kbagent: every earlier instance of a problem, with what worked, ranked by evidence."""

__version__ = "0.1.0"
