"""Files that a user gives: what they are, and reading them without running what they hold."""
