"""Makes `tests` a package, so that another distribution's `tests` does not replace it.

tosa-converter-for-tflite 2026.2.0 installs a `tests` package, and a package precedes a folder
without this file, wherever on the path it is.
"""
