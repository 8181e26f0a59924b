"""The page at ``/docs``: all paths with their examples, from the OpenAPI, without scripts and without other hosts."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Paths of the server</title>
<link rel="stylesheet" href="page.css">
</head>
<body>
<main>
<h1>Paths of the server</h1>
<p>The whole description is <a href="openapi.json">openapi.json</a>.
To forecast a CSV file: <a href="./">the page</a>.</p>
"""
_FOOT = "</main>\n</body>\n</html>\n"


def docs_page(openapi: dict[str, Any]) -> bytes:
    """Write the page, HTML.

    Parameters
    ----------
    openapi : dict
        The OpenAPI document of the server.

    Returns
    -------
    bytes
        UTF-8.
    """
    parts = [
        _operation(path, method, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return (_HEAD + "".join(parts) + _FOOT).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    key = " Needs the API key." if operation.get("security") else ""
    lines = [f"<h2>{method.upper()} {escape(path)}</h2>", f"<p>{escape(operation['description'])}{key}</p>", "<ul>"]
    for each in operation.get("parameters", []):
        lines.append(f"<li><code>{escape(each['name'])}</code>: {escape(each['description'])}</li>")
    for status, answer in operation["responses"].items():
        lines.append(f"<li>{status}: {escape(answer['description'])}</li>")
    lines.append("</ul>")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for name, each in content.get("examples", {}).items():
        lines.append(f"<details><summary>Example: {escape(name)}</summary><pre>")
        lines.append(f"{escape(_curl(path, each['value'], bool(key)))}</pre></details>")
    return "\n".join(lines) + "\n"


def _curl(path: str, body: Any, needs_key: bool) -> str:
    # in a shell, ' ends the text
    written = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    key = " -H 'X-API-Key: ...'" if needs_key else ""
    return f"curl http://localhost:8000{path} -H 'Content-Type: application/json'{key} -d '{written}'"
