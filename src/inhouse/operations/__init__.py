"""The one way in: validate, authorise, reserve, call, settle. Knows no HTTP."""
