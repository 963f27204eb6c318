"""Scores a folder of pictures with known answers by the evaluator and the judging that the product ships."""
