"""Does kbagent know what it does not know? Run with ``python -m benchmarks.verification``."""
