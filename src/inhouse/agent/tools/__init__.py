"""Tools that the house runs for a model, one file each. They do not know each other."""
