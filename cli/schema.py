"""`modelwright schema`: the spec language as JSON Schema or Markdown."""

from __future__ import annotations

from pathlib import Path

import click

from .console import write_result
from .options import OUTPUT, force_option, quiet


@click.command()
@click.option("-o", "--output", type=OUTPUT, help="Output file. [default: stdout]")
@click.option("--markdown", is_flag=True, help="Write the language reference instead, as Markdown.")
@force_option
@quiet
def schema(output: Path | None, markdown: bool, force: bool) -> None:
    """Print the JSON Schema of specs, for completion and checks in editors.

    \b
      modelwright schema -o schema.json

    Then begin each spec with the line

    \b
      # yaml-language-server: $schema=schema.json
    """
    from ..outputs import json_text
    from ..spec import json_schema, language_reference

    if markdown:
        write_result(output, language_reference().encode(), force=force, stamped=False)
    else:
        write_result(output, json_text(json_schema()), force=force)
