"""What thousands of cases say together: patterns, rises and routing, as pure mathematics."""
