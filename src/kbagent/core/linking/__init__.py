"""Which cases are about one problem, and which resolutions say the same fix."""
