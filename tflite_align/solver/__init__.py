"""The solver: from constraints on slots (operand positions), the label (scale and zero point) of each
slot, the QUANTIZE operators to insert, and the reason for each decision.
"""
