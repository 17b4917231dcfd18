"""Commands: parse, make one call, render. All drawing lives in `cli.screens`."""
