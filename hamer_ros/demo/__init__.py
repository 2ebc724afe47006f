"""The demo: a camera, the node and a client, each in its own process, and a report of the run."""
