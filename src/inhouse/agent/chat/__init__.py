"""Chat completions over turns: what a request means, and how a turn is told."""
