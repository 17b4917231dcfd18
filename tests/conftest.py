"""For all tests: how long an example takes is no fact about the code, on a busy machine least."""

from hypothesis import settings

settings.register_profile("kbagent", deadline=None)
settings.load_profile("kbagent")
