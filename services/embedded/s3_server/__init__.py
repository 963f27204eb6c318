"""The embedded S3 server: ministack's S3, STS, IAM and KMS on loopback, hardened and persistent.

Run by the interpreter of its own environment (ministack pins its own botocore), as a module.
Takes S3_PORT, S3_DIR and S3_USERS from the environment; S3_USERS names a private JSON file
`[{"name", "access_key_id", "secret_access_key", "policy"}]` of the long-lived IAM users to exist. S3_HOST (default
127.0.0.1) is the address to listen on and S3_NAMES what else it is called, `name:port`, separated by commas: for a
container of its own on a private network.

What ministack 1.5.33 does by itself and this launcher changes:

* It listens everywhere without authentication, and some keys pass with any secret. Here: loopback, SigV4 only,
  and the only principals are the seeded users and the sessions they assume.
* AssumeRole answers for roles that don't exist. Here they are refused.
* Its admin paths wipe everything unauthenticated. Here every path and host outside the four APIs is refused.
* It saves IAM, KMS and bucket settings on a clean stop only. Here before each answer that changed them.
* It answers 200 when an object could not be written. Here 500, and the object is as it was before.
* It completes a multipart upload whose parts are too small. Here EntityTooSmall, as on AWS.
* Its KMS ciphertexts are not authenticated. Here AES-256-GCM bound to the key and the encryption context.

Not changed: SSE headers are recorded but objects are plain on disk; open multipart uploads and STS sessions end
with the process; a finished object passes through memory.
"""
