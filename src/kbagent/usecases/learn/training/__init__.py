"""Every action as training data: one module for each format others read."""
