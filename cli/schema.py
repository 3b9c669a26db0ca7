"""`modelwright schema`: the language as JSON Schema or as a page."""

from __future__ import annotations

from pathlib import Path

import click

from .options import OUTPUT, force_option, quiet
from .speaking import put


@click.command()
@click.option("-o", "--output", type=OUTPUT, help="Where to write it; stdout if not given.")
@click.option("--markdown", is_flag=True, help="The reference of the language instead.")
@force_option
@quiet
def schema(output: Path | None, markdown: bool, force: bool) -> None:
    """Print the JSON Schema of the language, for editors.

    \b
      modelwright schema -o schema.json

    and as the first line of a spec

    \b
      # yaml-language-server: $schema=schema.json
    """
    from ..outputs import json_text
    from ..spec import json_schema, language_reference

    if markdown:
        put(output, language_reference().encode(), force=force, stamped=False)
    else:
        put(output, json_text(json_schema()), force=force)
