"""The turn: what a model says, made into API objects."""
