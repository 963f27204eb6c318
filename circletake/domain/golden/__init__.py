"""Golden shots: approved pictures that are made again, to see whether a model still makes them."""
