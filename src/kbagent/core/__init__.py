"""Pure mathematics and text: no database, no file, no clock, no unseeded randomness."""
