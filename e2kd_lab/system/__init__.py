"""What any program needs and no researcher asks about: registries and plug-ins."""
