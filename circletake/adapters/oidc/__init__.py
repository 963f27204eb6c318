"""People sign in with the OIDC provider of their studio: its keys, and the tokens that they sign."""
