"""A soak test: the installed node at work for any time, between a camera and a client.

`measure` runs it; `processes` starts the node, `camera` and `client`, which write their `logs`;
`samples` reads the node's resources from /proc; `figures` and `report` evaluate them and compare
them with the promises, and `chart` draws them.
"""
