"""What a tenant may reach: the policies, the sessions under them, and the provisioner that makes both true."""
