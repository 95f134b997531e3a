"""The fused engine: forward, backward and update of many steps in one function, compiled by Numba."""
