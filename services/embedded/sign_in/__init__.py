"""A small OIDC provider on loopback, so that people can sign in on a machine without one.

It stands in for the studio's own: discovery, key set, authorization code with PKCE, short-lived signed tokens with a
`roles` claim. One issuer serves every studio of the stack, each by its own audience. It is no identity service for
production: the people are a file in the stack's home.
"""
