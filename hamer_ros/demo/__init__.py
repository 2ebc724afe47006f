"""A camera, the node and a client, each in its own process, and what the client saw."""
