"""The hand model: its topology, its data and linear blend skinning."""
