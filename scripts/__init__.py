"""Scripts that keep the project in order; none is part of the product."""
