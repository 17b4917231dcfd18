"""Does it stay quick and exact as the knowledge base grows to a million cases?"""
