"""The command line: ``e2kd-lab``."""


def main() -> None:
    """Run the command that the arguments ask for."""
    from e2kd_lab.cli.commands import main as run_command

    run_command()
