"""Data sets as they lie on disk, their transforms and loaders, and the makers of the embedded ones."""
