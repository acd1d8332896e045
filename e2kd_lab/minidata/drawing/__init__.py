"""Drawing the pictures of the embedded data sets: birds and places, objects, scenes."""
