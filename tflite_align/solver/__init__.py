"""The solver: constraints on slots -> the label of each slot, inserted QUANTIZE operators, and the
reasons.
"""
