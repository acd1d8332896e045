"""The embedded data sets: how they are drawn and made."""
