"""Command-line interface: arguments, files, standard streams, exit status. The only room that
prints.
"""
