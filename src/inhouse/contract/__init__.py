"""The published contract as data, and the checks made from it."""
