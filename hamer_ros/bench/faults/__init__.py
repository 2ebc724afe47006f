"""Broken and sound messages for the node, and what must come of each.

`event` makes one and says what is right; `Patient` is the node, in a process of its own;
`Conversation` carries messages to it and back over DDS; `Campaign` plays events, and `judge` looks
at all that the node publishes.
"""
