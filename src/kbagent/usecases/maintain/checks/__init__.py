"""The checks of `kbagent doctor`: one module a subject, one function a check."""
