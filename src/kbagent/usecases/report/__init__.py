"""Whether the whole thing gets better, month by month."""
