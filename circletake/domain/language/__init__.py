"""What language models are asked to write, and the rules that it is held to."""
