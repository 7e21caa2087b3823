"""A package, so that no other distribution's `tests` takes its place.

tosa-converter-for-tflite 2026.2.0 installs one, and a package goes before a folder without this
file wherever on the path it lies.
"""
