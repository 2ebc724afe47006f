"""The installed node at work for as long as one likes, between a camera and a client.

`measure` runs it; `robot` starts the processes, `camera` and `client` among them, which note what
they see in `logs`; `samples` looks at the node from outside; `figures` and `report` say what it
comes to and hold it against the promises, and `chart` draws it.
"""
