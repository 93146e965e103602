"""Keys, principals, permissions, limits."""
