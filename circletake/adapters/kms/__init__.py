"""Content at rest: one data key per tenant, wrapped by the tenant's KMS key, and the seal made of it."""
