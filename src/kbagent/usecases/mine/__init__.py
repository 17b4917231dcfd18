"""What thousands of cases say that no one person sees: patterns, rises, routes."""
