"""The fused engine: forward, backward and update of many steps in one call of machine code, written in C."""
