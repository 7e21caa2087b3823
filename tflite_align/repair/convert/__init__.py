"""Conversions before alignment: int8 inside, other types of inputs and outputs.

In: a model and the request. Out: the converted model and its changes, or why it cannot be
converted.
"""
