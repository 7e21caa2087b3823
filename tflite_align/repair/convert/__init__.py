"""Conversions of types before alignment: uint8 to int8 in the whole model, other types of graph
inputs and outputs.

Input: a model and the requested types. Output: the converted model and its changes, or the reasons
for refusing.
"""
