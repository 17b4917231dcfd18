"""How good the questions of a review are, and what answering them is worth."""
