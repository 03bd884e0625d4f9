"""The command line of graphgrad, installed as the package `graphgrad_cli`."""
