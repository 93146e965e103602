"""One file per noun, on SQLite."""
