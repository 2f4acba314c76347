"""`completion`: what a shell needs to complete this program's commands and options."""

import click
from click.shell_completion import ShellComplete, get_completion_class

PLACES = {
    "bash": "~/.local/share/bash-completion/completions/{program}",
    "zsh": "~/.zfunc/_{program}   (with `fpath+=~/.zfunc; autoload -Uz compinit; compinit` in ~/.zshrc)",
    "fish": "~/.config/fish/completions/{program}.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(PLACES)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options with the Tab key.

    \b
    Try it in this shell:   eval "$(feishu-event-router completion bash)"
    Install it:             the script's last lines say where to put it.
    """
    root = ctx.find_root()
    program = root.info_name or "feishu-event-router"
    variable = f"_{program.replace('-', '_').replace('.', '_')}_COMPLETE".upper()
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"this version of click can't complete in {shell}")
    click.echo(ShellComplete.source(found(root.command, {}, program, variable)).rstrip())
    click.echo(
        f"\n# To install this, write it to a file:\n#   {program} completion {shell} > {PLACES[shell]}".format(
            program=program
        )
    )
