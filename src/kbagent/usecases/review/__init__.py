"""Review: what the knowledge base doubts, put before people, and what they decide."""
