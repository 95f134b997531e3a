"""What Numba compiles: the operations of a network, losses and updates over flat arrays, and the loop around them."""
