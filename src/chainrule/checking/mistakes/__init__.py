"""The mistakes that people make in a backward pass, each with the gradient that it would give."""
