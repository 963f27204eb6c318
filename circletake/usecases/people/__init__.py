"""People: who has signed in, and the sign-in that vouches for them."""
