"""Where the console script begins: interrupted while the command is still being loaded, it says what it says later."""


def main() -> None:
    """Runs the command line of the process."""
    try:
        from graphgrad_cli.main import main as run
    except KeyboardInterrupt:
        import os

        os.write(2, b"error: interrupted\n")
        os._exit(130)
    run()
