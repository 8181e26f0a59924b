"""An empty FastAPI endpoint, which gives back what it gets: what a server is held against."""

from typing import Any

from fastapi import FastAPI

app = FastAPI()


@app.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    """The body itself."""
    return body
