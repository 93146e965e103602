"""One module per SDK resource."""
