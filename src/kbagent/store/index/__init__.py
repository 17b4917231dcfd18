"""Disposable indexes: dense (FAISS) and lexical (tantivy). The truth is in SQLite."""
