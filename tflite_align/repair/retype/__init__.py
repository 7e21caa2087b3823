"""Operand types that no kernel takes together, fitted to types that every target takes."""
