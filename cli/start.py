"""Where the console script begins: interrupted while the command is still being loaded, it says what it says later."""

try:
    from graphgrad_cli.main import cli, main
except KeyboardInterrupt:
    import os

    os.write(2, b"error: interrupted\n")
    os._exit(130)

__all__ = ["cli", "main"]
