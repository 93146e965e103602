"""Legacy completions over turns: what a request means, and how its turns are told."""
