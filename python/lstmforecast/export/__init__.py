"""Files, and the same network elsewhere: ``save`` and ``load``, int8 and bf16, PyTorch, ONNX.

May use `contract`, `data`, `fitting` and `uncertainty`. Start with `persistence`, which writes and reads files;
`file_checks` checks what a file says before anything is made of it.
"""
