"""All drawing: pure `format_*` functions that return what a screen or a script is shown."""
