"""Learn: policies, how they come about, and what has to be shown before one goes live."""
