"""Makes the contract: the data file that says what every operation takes.

    python -m tools.contract --document ../shared/contract/openapi.json

It reads the installed `openai` package for names and types, the published OpenAPI document for
ranges, lengths, patterns and defaults, and `src/inhouse/contract/overlay.toml` for what neither
says. Nothing here runs in the server.
"""
