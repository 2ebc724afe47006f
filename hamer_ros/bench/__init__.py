"""What each part costs and how good it is, against a peer or bound of the same run."""
