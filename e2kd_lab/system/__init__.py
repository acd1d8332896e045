"""Plumbing: errors, paths, files, locks, registries and plug-ins."""
