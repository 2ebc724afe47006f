"""Models as files: fetching them, and running them on a CPU or a GPU."""
