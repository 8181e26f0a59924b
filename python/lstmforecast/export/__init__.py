"""Files, and the same network elsewhere: ``save`` and ``load``, int8 and bf16, PyTorch, ONNX.

May use `contract`, `data`, `fitting` and `uncertainty`. Start with `saving`, the ``save`` and ``load`` of all
estimators; `persistence` defines the contents of a file, and `file_checks` checks it before an estimator is built.
"""
