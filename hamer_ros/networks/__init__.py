"""Parts that networks of torch share: the vision transformer, and reading weights from a file."""
