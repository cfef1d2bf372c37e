"""Mutated notifications, thrown at everything that receives: `python -m benchmarks.fuzz`.

`corpus` has real messages, `mutations` spoils them, `engine` throws them at targets and checks what
comes of it, `kit` has the receiver kit's targets. Whoever receives in another way adds targets of
their own.
"""
