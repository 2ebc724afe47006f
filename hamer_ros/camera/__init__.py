"""The camera: its lens models, their names in the field, and files of intrinsics."""
