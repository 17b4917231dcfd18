"""How fast and how good the exported encoder is, against sentence-transformers itself."""
