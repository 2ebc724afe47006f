"""Tools that generate the data of the package; they are not installed."""
