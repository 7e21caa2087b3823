"""The command line: arguments, files, stdout, exit status. The only room that prints."""
