"""The command `campaign`: the experiments that need a GPU, each sized to the minutes that there are."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from . import door
from .command import said_plainly


@said_plainly
def campaign(
    list_: Annotated[bool, typer.Option("--list", help="List the items, and run none.")] = False,
    minutes: Annotated[float | None, typer.Option(help="Time limit for the whole call.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the records and plans.")] = None,
    only: Annotated[str | None, typer.Option(metavar="NAME", help="Run only this item.")] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="At a size that takes a CPU a minute.")] = False,
) -> None:
    """Run the experiments that need a GPU, in order of worth, sized to the minutes that there are.

    The rate is measured first; then the tokens of a run and the seeds are set,
    and said. The same command goes on with what is not done. Token files are
    packed before (decondense tokens), and DECONDENSE_DATA names the folder that
    has tokens/ in it. Where the packages of this command line are missing:
    python -m decondense.campaign, with the same options.

    \b
    Examples:
      decondense campaign --list
      decondense campaign --minutes 9 --out results
      decondense campaign --minutes 9 --out results --only family
      decondense campaign --minutes 2 --out try --tiny
    """
    from ..campaign import command

    if list_:
        typer.echo("\n".join(command.listing()))
        return
    if minutes is None or out is None:
        raise ValueError("Give --list; or --minutes and --out.")
    door.check_folder(out)
    command.run(out, minutes, only, tiny, say=partial(typer.echo, file=typer.get_text_stream("stdout")))
