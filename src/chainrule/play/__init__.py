"""The page on which backpropagation can be touched: `chainrule play`."""
