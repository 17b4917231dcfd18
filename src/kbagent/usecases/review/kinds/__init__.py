"""What is put before people, a module for each kind of question."""
