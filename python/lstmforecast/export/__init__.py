"""Files, and the same network elsewhere: ``save`` and ``load``, int8 and bf16, PyTorch, ONNX.

May use `contract`, `data`, `fitting` and `uncertainty`. Start with `saving`, the ``save`` and ``load`` of all
estimators; `persistence` says what a file holds, and `file_checks` checks it before an estimator is built.
"""
