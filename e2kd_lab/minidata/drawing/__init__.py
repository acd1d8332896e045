"""How the pictures of the embedded data sets are drawn: birds and their places, objects, scenes."""
