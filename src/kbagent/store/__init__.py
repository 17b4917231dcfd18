"""SQLite, FAISS, tantivy, the encoder and the readers of exports. No ranking decisions."""
