"""The benchmark: the library's engines and other libraries, from the same start to the same loss.

What is measured stands in `workloads`, who takes part in `ours` and `peers`, how in
`timing`; `chainrule bench` runs it.
"""
