"""The offline evaluator: how alike a face, a look or a whole subject is to its references; implements `Evaluator`.

Only `evaluator` and `weights` may be imported in the worker's own process; the rest runs in its children.
"""
