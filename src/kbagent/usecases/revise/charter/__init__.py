"""The policy file: everything people decide, in one document; nothing learned crosses it."""
