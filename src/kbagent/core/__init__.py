"""Pure mathematics and text: no database, no file, no clock, no randomness that is not passed in."""
