"""Readers of data sets, transforms, loaders, and the cache of a frozen teacher."""
