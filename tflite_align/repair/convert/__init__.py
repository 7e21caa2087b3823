"""What a finished file is asked to become before it is aligned: int8 inside, other
types at its border.

In: a model and what is asked. Out: the converted bytes and what was done, or why it cannot be.
"""
