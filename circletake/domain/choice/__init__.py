"""Which models a production chose, and what follows when one of them fails or ends."""
