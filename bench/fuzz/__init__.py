"""A fuzz test of the node: broken and sound messages, and an oracle for their outcome.

`events` makes the messages and their `expected_outcome`; `node_under_test` is the node, in a
process of its own; `client` sends the messages over DDS and receives what the node publishes;
`run` plays events, and `oracle` and `output_monitor` check the answers.
"""
