"""Repair of operand types that no kernel supports together."""
