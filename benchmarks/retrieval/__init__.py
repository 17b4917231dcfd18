"""Does a search find every prior instance, and do cases find their issue? See `__main__`."""
